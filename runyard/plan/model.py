"""The plan as frozen data: what should stand on the host for a set of manifests.

Everything is ordered (tenants, services, containers and variables by name) and holds no time, no
random value and nothing read from a host, so that equal manifests give an equal plan, byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runyard.contracts import RevisionDocument, RolloutRequest, RouteRequest
from runyard.manifest.model import Location, Platform
from runyard.plan.part import PartPlan
from runyard.scaling.counts import Span, revision_span, settings_of, with_scheduled
from runyard.scaling.schedule import minimums
from runyard.scaling.settings import ScalingSettings, scaling_settings


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A bridge; `host_address` is the host's own address on it, `isolated` stops traffic between containers.

    `quotas` are its tenant's, shown with it so that previews tell when one is raised and policies see them.
    """

    name: str
    subnet: str
    host_address: str
    tenant: str | None = None
    internal: bool = False
    isolated: bool = True
    quotas: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RevisionPlan:
    """A revision: one that a manifest makes, or an earlier one that stays.

    The document of an earlier one is that which was signed, images included.
    """

    document: RevisionDocument

    @property
    def name(self) -> str:
        """The revision's name."""
        return self.document.name

    @property
    def identity(self) -> str:
        """The name, followed by the hash where the manifest chose the name."""
        return self.document.identity

    @property
    def digest(self) -> str:
        """The full hash of what shapes it."""
        return self.document.digest


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service: its latest revision, its route, the traffic to reach, and the earlier revisions that stay.

    `facts` is the manifest as nested plain data with lists keyed by name and secrets masked: what a preview
    shows when it changes.
    """

    tenant: str
    name: str
    revision: RevisionPlan
    route: RouteRequest
    rollout: RolloutRequest
    facts: Mapping[str, Any]
    location: Location
    kept: tuple[RevisionPlan, ...] = ()

    @property
    def active(self) -> tuple[RevisionPlan, ...]:
        """The revisions that the traffic names and that therefore have instances; a tag at 0 percent names one too."""
        named = {share.revision for share in self.rollout.traffic}
        return tuple(each for each in (self.revision, *self.kept) if each.name in named)

    def scaling(self, begins_unix_s: int, length_s: float) -> tuple[ScalingSettings, tuple[tuple[float, Span], ...]]:
        """How the latest revision is scaled, and how many instances it may have, with all of the traffic.

        The counts hold from so many seconds after the beginning on, as the service's schedule has it.
        """
        document = self.revision.document
        spans = [
            (at - begins_unix_s, revision_span(settings_of(document, with_scheduled(self.rollout, count)), 100))
            for at, count in minimums(self.rollout.schedule, begins_unix_s, begins_unix_s + math.ceil(length_s))
        ]
        return scaling_settings(document), tuple(spans)

    @property
    def url_host(self) -> str:
        """The first public host; a service with internal ingress still has one, for its tags."""
        return self.route.hosts[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a stack should be: networks (the platform's first), its parts, and services by tenant and name."""

    stack: str
    platform: Platform
    networks: tuple[NetworkPlan, ...]
    parts: tuple[PartPlan, ...]
    services: tuple[ServicePlan, ...]

    @property
    def platform_network(self) -> NetworkPlan:
        """The platform's own bridge."""
        return self.networks[0]
