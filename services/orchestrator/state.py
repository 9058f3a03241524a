"""State as the orchestrator sees it: revisions from documents, instances from Docker, health from probes, demand.

Everything here is frozen data; `decision.decide` turns it into actions. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runyard import names
from runyard.contracts import ContainerDocument, RevisionDocument
from runyard.names import service_key
from services.orchestrator.parts import Part, Role, parts_of

Json = dict[str, Any]

# Docker's states of a container that will never run again by itself.
ENDED = frozenset({"exited", "dead", "removing"})
# For instances whose document cannot be read: Cloud Run's ten seconds.
DEFAULT_GRACE_S = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision whose document is held; `parts` are all containers of an instance, `containers` those that serve.

    Both are in start order.
    """

    spec: RevisionDocument
    parts: tuple[Part, ...] = field(init=False, compare=False, repr=False)
    containers: tuple[ContainerDocument, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        parts = parts_of(self.spec)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "containers", tuple(each.document for each in parts if each.role == "app"))

    @property
    def owner(self) -> str:
        """Name the container that owns the network: the holder where there is one, else the first that serves."""
        first = self.parts[0].document.name
        return first if first == names.HOLDER else self.containers[0].name

    @property
    def tenant(self) -> str:
        """The tenant that it belongs to."""
        return self.spec.tenant

    @property
    def service(self) -> str:
        """The service that it is one of, within its tenant."""
        return self.spec.service

    @property
    def name(self) -> str:
        """Its name, within its tenant."""
        return self.spec.name

    @property
    def key(self) -> str:
        """Name the revision across tenants."""
        return service_key(self.tenant, self.name)

    @property
    def service_key(self) -> str:
        """Name its service across tenants."""
        return service_key(self.tenant, self.service)

    @property
    def uses(self) -> tuple[str, ...]:
        """Name the services that its instances may call: those whose hosts they know."""
        return self.spec.callees

    def container(self, name: str) -> ContainerDocument | None:
        """Give one of its containers that serve."""
        return next((each for each in self.containers if each.name == name), None)

    def part(self, name: str) -> Part | None:
        """Give one of an instance's containers, whatever it is there for."""
        return next((each for each in self.parts if each.document.name == name), None)


@dataclass(frozen=True, slots=True)
class Container:
    """One container of an instance, as Docker last described it.

    `fault` says why it cannot go on as it is, and `edited` what of it is no longer as its document says.
    """

    id: str
    name: str
    state: str
    exit_code: int = 0
    oom_killed: bool = False
    fault: str = ""
    edited: str = ""
    role: Role = "app"

    @property
    def done(self) -> bool:
        """Whether it was there to end, and has, as it should."""
        return self.role == "init" and self.state in ENDED and self.exit_code == 0 and not self.oom_killed

    @property
    def title(self) -> str:
        """Name it in messages."""
        if self.name in names.HELPERS:
            return f"helper {self.name}"
        return f"{'init ' if self.role == 'init' else ''}container {self.name}"


@dataclass(frozen=True, slots=True)
class Instance:
    """What runs (or dies, or is half made) of a revision, under one address; `identity` is that of its document.

    `data` are the engine's volumes that it writes to and that stay: nobody else may have one of them meanwhile.
    """

    id: str
    tenant: str
    service: str
    revision: str
    address: str
    network: str
    containers: tuple[Container, ...]
    grace_s: int = DEFAULT_GRACE_S
    identity: str = ""
    data: tuple[str, ...] = ()

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

    `written` names the engine's volumes that an instance of the book has for itself, whether it is seen or not.
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
    written: frozenset[str] = frozenset()


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
    """Make an instance of a revision and start what waits for nothing."""

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
    """Withdraw and remove an instance; `failure` says why and is empty when it is merely surplus.

    One that still serves is drained first.
    """

    instance: str
    failure: str = ""
    drained: bool = True


Action = CreateInstance | StartContainer | RemoveInstance


def failure_of(instance: Instance, health: Mapping[str, Health]) -> str:
    """Describe why an instance is dead; empty while it lives."""
    for container in instance.containers:
        if container.done:
            continue
        if container.state in ENDED:
            if container.oom_killed:
                return f"{container.title}: killed for using more memory than its limit (OOM)"
            return f"{container.title}: exited with code {container.exit_code}"
        if container.fault:
            return f"{container.title}: {container.fault}"
        failed = health.get(container.id, UNKNOWN).failed
        if failed:
            return f"{container.title}: {failed}"
    return ""


def edit_of(instance: Instance, revisions: Mapping[str, Revision]) -> str:
    """Describe what of an instance is no longer as its revision's document says; empty while all is."""
    revision = revisions.get(instance.key)
    if revision is not None and instance.identity != revision.spec.identity:
        return f"is of {instance.identity}, and the revision's document is now {revision.spec.identity}"
    return next((f"{each.title}: {each.edited}" for each in instance.containers if each.edited), "")


def is_ready(instance: Instance, health: Mapping[str, Health]) -> bool:
    """Tell whether every container of an instance that serves runs, has started and is ready."""
    serving = [each for each in instance.containers if each.role == "app"]
    held = all(each.state == "running" for each in instance.containers if each.role == "holder")
    return (
        bool(serving)
        and held
        and all(each.state == "running" and health.get(each.id, UNKNOWN).ready for each in serving)
    )
