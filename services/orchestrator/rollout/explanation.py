"""Explanation: why a revision should have the number of instances that it should, in words with numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runyard.contracts import Override, Restriction, RolloutRequest
from runyard.names import service_key
from runyard.scaling.counts import part_of, revision_span, settings_of
from runyard.scaling.decision import Decision
from runyard.scaling.schedule import Stretch
from runyard.units import render_count, render_time
from services.orchestrator.model.revision import Revision
from services.orchestrator.scaling.decisions import Explanation
from services.orchestrator.traffic.commitment import Commitment, held_counts, remaining_hold_s, shares_to_serve
from services.orchestrator.traffic.shift import percents


@dataclass(frozen=True, slots=True)
class Grounds:
    """What counts come from: revisions by `tenant/revision`, the rest by `tenant/service`, seconds since 1970.

    `decided` is what the autoscaler decided last on the revision that is asked for, `restrictions` are by tenant.
    """

    revisions: Mapping[str, Revision]
    in_force: Mapping[str, Commitment]
    under_way: Mapping[str, RolloutRequest]
    overrides: Mapping[str, Override]
    stretches: Mapping[str, Stretch]
    now_unix_s: float
    decided: Decision | None = None
    restrictions: Mapping[str, Restriction] = field(default_factory=dict)


def explain(key: str, count: int, grounds: Grounds) -> Explanation:
    """Explain the count of a revision, `tenant/revision`; the narrowest ground is told."""
    tenant, _, name = key.partition("/")
    service = _service_of(tenant, name, grounds)
    owner = service_key(tenant, service)
    current, coming = grounds.in_force.get(owner), grounds.under_way.get(owner)
    shares = shares_to_serve(current) if current else {}
    override = grounds.overrides.get(owner)
    instances = render_count(count, "instance")
    if coming is not None and name in percents(coming.traffic) and name not in shares:
        reason = f"a rollout brings it in: {instances} must be ready before it gets traffic"
        return Explanation(service, "rollout", reason, {"percent": percents(coming.traffic)[name]})
    if current is None or name not in shares:
        return Explanation(service, "unused", "no traffic names it", {})
    percent = shares[name]
    restriction = grounds.restrictions.get(tenant)
    if restriction is not None and (not restriction.most or count == part_of(restriction.most, percent)):
        return _by_budget(service, percent, restriction)
    if override is not None:
        asked, until = render_count(override.count, "instance"), render_time(override.until_unix_s)
        reason = f"{asked} of the service: asked for by hand until {until}{_part(percent)}"
        return Explanation(service, "by-hand", reason, {"asked": override.count, "percent": percent})
    if coming is not None and name in percents(coming.traffic):
        reason = f"a rollout takes over what serves now: {instances} must be ready before traffic moves"
        return Explanation(service, "rollout", reason, {"percent": percents(coming.traffic)[name]})
    if count and held_counts(current, grounds.now_unix_s).get(name, 0) == count:
        left = remaining_hold_s(current, grounds.now_unix_s)
        reason = f"it took over {instances} in a rollout and keeps them for {left:.0f} s more"
        return Explanation(service, "held", reason, {"left_s": round(left, 1), "percent": percent})
    scheduled = _by_schedule(service, percent, count, (current, grounds))
    if scheduled is not None:
        return scheduled
    decided = grounds.decided
    if decided is not None and decided.count == count and current.manual_instances is None:
        return Explanation(service, decided.why.value, decided.reason, decided.numbers)
    return _by_manifest(service, percent, current, grounds.revisions.get(key))


def _by_budget(service: str, percent: int, restriction: Restriction) -> Explanation:
    most, until = render_count(restriction.most, "instance"), render_time(restriction.until_unix_s)
    reason = f"at most {most} of the service until {until}: {restriction.reason}{_part(percent)}"
    return Explanation(service, "budget", reason, {"most": restriction.most, "percent": percent})


def _by_schedule(service: str, percent: int, count: int, asked: tuple[Commitment, Grounds]) -> Explanation | None:
    """Explain a count that the schedule asks for and nothing else does."""
    current, grounds = asked
    stretch = grounds.stretches.get(service_key(current.tenant, service))
    if stretch is None or stretch.since_unix_s is None or current.manual_instances is not None:
        return None
    least = stretch.instances
    if least <= current.min_instances or count != part_of(least, percent):
        return None
    until = "" if stretch.until_unix_s is None else f" until {render_time(stretch.until_unix_s)}"
    since = render_time(stretch.since_unix_s)
    reason = f"its schedule asks for at least {least} of the service since {since}{until}{_part(percent)}"
    return Explanation(service, "schedule", reason, {"asked": least, "percent": percent})


def _by_manifest(service: str, percent: int, current: Commitment, revision: Revision | None) -> Explanation:
    if revision is None:
        return Explanation(service, "unreadable", "it has no document: what runs of it stays", {"percent": percent})
    if current.manual_instances is not None:
        reason = f"its manifest sets {render_count(current.manual_instances, 'instance')} by hand{_part(percent)}"
        return Explanation(service, "manifest", reason, {"asked": current.manual_instances, "percent": percent})
    span = revision_span(settings_of(revision.spec, current), percent)
    most = "without a limit" if span.most is None else f"at most {span.most}"
    reason = f"its manifest asks for at least {span.least}, {most}, at {percent} % of the traffic"
    return Explanation(service, "manifest", reason, {"least": span.least, "percent": percent})


def _service_of(tenant: str, name: str, grounds: Grounds) -> str:
    revision = grounds.revisions.get(service_key(tenant, name))
    if revision is not None:
        return revision.service
    mine = [each for each in (*grounds.in_force.values(), *grounds.under_way.values()) if each.tenant == tenant]
    for each in mine:
        named = shares_to_serve(each) if isinstance(each, Commitment) else percents(each.traffic)
        if name in named:
            return each.service
    return ""


def _part(percent: int) -> str:
    return "" if percent == 100 else f", of which it has its part at {percent} % of the traffic"
