"""State as the orchestrator sees it: templates and instances from Docker, health from probes, what is wanted.

Everything here is frozen data; `decision.decide` turns it into actions. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runyard.contracts import RevisionSpec, TemplateSpec
from runyard.names import callees, service_key

Json = dict[str, Any]

# Docker's states of a container that will never run again by itself.
ENDED = frozenset({"exited", "dead", "removing"})
# A port-less default for instances whose template is gone: Cloud Run's ten seconds.
DEFAULT_GRACE_S = 10


@dataclass(frozen=True, slots=True)
class Template:
    """A never-started container; `config` and `host_config` are Docker's own and may hold secrets: never log them."""

    id: str
    tenant: str
    service: str
    revision: str
    spec: TemplateSpec
    network: str
    image: str
    created: str = ""
    config: Json = field(repr=False, compare=False, default_factory=dict)
    host_config: Json = field(repr=False, compare=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision all of whose templates are there; `templates` is in start order, the network's owner first."""

    tenant: str
    service: str
    name: str
    spec: RevisionSpec
    templates: tuple[Template, ...]

    @property
    def key(self) -> str:
        """Name the revision across tenants."""
        return service_key(self.tenant, self.name)

    @property
    def uses(self) -> tuple[str, ...]:
        """Name the services that its instances may call: those whose hosts they know."""
        known = self.templates[0].host_config.get("ExtraHosts") or ()
        return callees(entry.partition(":")[0] for entry in known)


@dataclass(frozen=True, slots=True)
class Container:
    """One container of an instance, as Docker last described it."""

    id: str
    name: str
    state: str
    exit_code: int = 0
    oom_killed: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """A running (or dying, or half-made) clone of a revision's templates, under one address."""

    id: str
    tenant: str
    service: str
    revision: str
    address: str
    network: str
    containers: tuple[Container, ...]
    grace_s: int = DEFAULT_GRACE_S

    @property
    def key(self) -> str:
        """Name the instance's revision across tenants."""
        return service_key(self.tenant, self.revision)

    @property
    def service_key(self) -> str:
        """Name the instance's service across tenants."""
        return service_key(self.tenant, self.service)


@dataclass(frozen=True, slots=True)
class Health:
    """What probes found out about a container; `failed` is final, `problem` is the last failed try."""

    started: bool = False
    ready: bool = False
    probed: bool = False
    failed: str = ""
    problem: str = ""


UNKNOWN = Health()


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that a failed instance left: how often in a row it failed and when it may be filled again."""

    failures: int
    not_before: float


@dataclass(frozen=True, slots=True)
class Observation:
    """All that a decision may look at, besides the memory of earlier ones.

    `wanted` counts the instances of each active revision; `busy` names instances with an operation under way
    and `starting` those of them that are being made, with their revision. `deleted` names services that were
    removed on purpose and `abandoned` revisions that never got traffic; their instances need no grace.
    """

    revisions: Mapping[str, Revision] = field(default_factory=dict)
    instances: tuple[Instance, ...] = ()
    wanted: Mapping[str, int] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    starting: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    abandoned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Memory:
    """What decisions remember; `sequence` numbers instances and starts at the boot's wall clock in ms.

    `attempts` are the failures before each instance, `counted` the dead ones whose failure has left its slot.
    """

    sequence: int
    slots: Mapping[str, tuple[Slot, ...]] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    ready_since: Mapping[str, float] = field(default_factory=dict)
    surplus_since: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateInstance:
    """Clone the revision's templates and start what waits for nothing."""

    instance: str
    revision: str


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Start a container whose dependencies have started."""

    instance: str
    revision: str
    container: str


@dataclass(frozen=True, slots=True)
class RemoveInstance:
    """Withdraw, drain and remove an instance; `failure` says why it is dead and is empty when it is merely surplus."""

    instance: str
    failure: str = ""


Action = CreateInstance | StartContainer | RemoveInstance


def failure_of(instance: Instance, health: Mapping[str, Health]) -> str:
    """Describe why an instance is dead; empty while it lives."""
    for container in instance.containers:
        if container.state in ENDED:
            if container.oom_killed:
                return f"container {container.name}: killed for using more memory than its limit (OOM)"
            return f"container {container.name}: exited with code {container.exit_code}"
        failed = health.get(container.id, UNKNOWN).failed
        if failed:
            return f"container {container.name}: {failed}"
    return ""


def is_ready(instance: Instance, health: Mapping[str, Health]) -> bool:
    """Tell whether every container of an instance runs, has started and is ready."""
    return bool(instance.containers) and all(
        container.state == "running" and health.get(container.id, UNKNOWN).ready for container in instance.containers
    )
