"""The plan as frozen data: what should stand on the host for a set of manifests.

Everything is ordered (tenants, services, containers and variables by name) and holds no time, no
random value and nothing read from a host, so that equal manifests give an equal plan, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runyard import names
from runyard.contracts import RolloutRequest, RouteRequest, TemplateSpec
from runyard.manifest.model import EnvVar, Location, Platform


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
class TemplatePlan:
    """A never-started container that carries one container of a revision.

    `environment` is what the container gets, in order; entries with a reference are resolved from the stack's
    secrets. `tmpfs` maps a mount path to Docker's mount options, `hosts` a name to an address.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[EnvVar, ...]
    working_dir: str
    user: str
    cpu_millis: int
    memory_bytes: int
    tmpfs: Mapping[str, str]
    hosts: Mapping[str, str]
    network: str
    labels: Mapping[str, str]
    spec: TemplateSpec


@dataclass(frozen=True, slots=True)
class RevisionPlan:
    """A revision: its name, the full hash of what shapes it, and a template for each container.

    `identity` is the name, followed by the hash where the manifest chose the name.
    """

    name: str
    tenant: str
    service: str
    digest: str
    identity: str
    templates: tuple[TemplatePlan, ...]


@dataclass(frozen=True, slots=True)
class KeptRevision:
    """An earlier revision whose templates stay as they are; `templates` maps their containers to their images."""

    name: str
    identity: str
    digest: str
    templates: Mapping[str, str]


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
    kept: tuple[KeptRevision, ...] = ()

    def kept_names(self, stack: str, *, idle: bool = False) -> list[str]:
        """List the containers that carry the kept revisions, with `idle` of those alone that the traffic does not name.

        A tag at 0 percent names its revision too: it has instances.
        """
        active = {share.revision for share in self.rollout.traffic} if idle else set()
        return [
            names.template_container(stack, self.tenant, each.identity, container)
            for each in self.kept
            for container in each.templates
            if each.name not in active
        ]

    @property
    def url_host(self) -> str:
        """The first public host; a service with internal ingress still has one, for its tags."""
        return self.route.hosts[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a stack should be: networks (the platform's first), then services by tenant and name."""

    stack: str
    platform: Platform
    networks: tuple[NetworkPlan, ...]
    services: tuple[ServicePlan, ...]

    @property
    def platform_network(self) -> NetworkPlan:
        """The platform's own bridge."""
        return self.networks[0]
