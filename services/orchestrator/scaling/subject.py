"""Subject: what of a revision in force decides how it may be scaled. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from runyard.contracts.scaling import PRIORITY
from runyard.names import service_key
from runyard.scaling.counts import REACHABLE, Span, revision_span, service_bound, settings_of
from runyard.scaling.settings import ScalingSettings, scaling_settings
from services.orchestrator.model.revision import Revision, may_freeze
from services.orchestrator.traffic.commitment import Commitment, shares_to_serve
from services.orchestrator.traffic.shift import apportion


@dataclass(frozen=True, slots=True)
class Subject:
    """A revision that the traffic in force names: how its instances are counted, and how many it may have.

    One that `freezes` keeps an instance, paused, while it sleeps. `priority` is its service's within `tenant`, and
    `memory_bytes` what an instance may take.
    """

    settings: ScalingSettings
    span: Span
    freezes: bool = False
    tenant: str = ""
    priority: int = PRIORITY
    memory_bytes: int = 0

    def within(self, count: int) -> int:
        """Hold a count within what it may have."""
        return max(self.span.least, count if self.span.most is None else min(self.span.most, count))

    @property
    def sleeps(self) -> bool:
        """Whether it may have no instances, and is woken by a request."""
        return self.span.least == 0 and self.span.most != 0


def subjects(rollouts: Iterable[Commitment], revisions: Mapping[str, Revision]) -> dict[str, Subject]:
    """Give what may be scaled, by `tenant/revision`; a revision whose document cannot be read is left as it is."""
    found: dict[str, Subject] = {}
    for commitment in rollouts:
        shares = shares_to_serve(commitment)
        bounds = _parts_of_the_most(commitment, shares)
        for name, percent in shares.items():
            key = service_key(commitment.tenant, name)
            revision = revisions.get(key)
            if revision is None:
                continue
            counts = settings_of(revision.spec, commitment)
            span = revision_span(counts, percent)
            if name in bounds and counts.by_hand is None:
                most = bounds[name] if span.most is None else min(span.most, bounds[name])
                span = replace(span, most=max(span.least, most))
            if counts.one_writer:
                span = Span(min(span.least, REACHABLE), REACHABLE if span.most is None else min(span.most, REACHABLE))
            found[key] = Subject(
                scaling_settings(revision.spec),
                span,
                may_freeze(revision.spec),
                commitment.tenant,
                commitment.priority,
                revision.spec.memory_bytes,
            )
    return found


def _parts_of_the_most(commitment: Commitment, shares: Mapping[str, int]) -> dict[str, int]:
    """Divide the service's maximum over its revisions: one each, so that each can be reached, the rest by share."""
    if not commitment.max_instances:
        return {}
    rest = service_bound(commitment.max_instances, len(shares)) - REACHABLE * len(shares)
    given = apportion(rest, {name: percent for name, percent in shares.items() if percent})
    return {name: REACHABLE + given.get(name, 0) for name in shares}
