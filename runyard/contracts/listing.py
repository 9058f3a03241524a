"""Listing messages: what there is of each kind, for people and programs that look at a running stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION
from runyard.contracts.intervention import Override
from runyard.contracts.status import RevisionStatus, ServiceStatus

# `ready` takes requests, `starting` does not yet or no more, `failed` is about to be removed for the reason it has,
# `ending` is being drained and removed, `frozen` sleeps with its memory until a request. A run takes none: it is
# `running` and then `ended`, or `failed`.
InstanceState = Literal["starting", "ready", "failed", "ending", "frozen", "running", "ended"]


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """A container of an instance that runs or sleeps: the engine's id, when it was started, and its limits.

    `started_ms` is in milliseconds since 1970. The one that is `serving` takes the instance's requests.
    """

    id: str
    name: str
    started_ms: int
    cpu_millis: int
    memory_bytes: int
    serving: bool = False


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """An instance; `address` is empty for who may not know it, `restarting` says that another will take its place.

    A `run` is one that was asked for by hand, runs a command once and takes no requests.

    `containers` are those of its document that run, for who reads what they use; others are told none.
    """

    tenant: str
    service: str
    revision: str
    instance: str
    state: InstanceState
    address: str = ""
    reason: str = ""
    restarting: bool = False
    run: bool = False
    containers: tuple[ContainerStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerOwner:
    """Whose a container of the engine is, as the book has it: which one of which instance; helpers are nobody's."""

    tenant: str
    service: str
    revision: str
    instance: str
    container: str


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """Where the gateway reaches a revision: how many instances, and, for who may know, at which addresses."""

    tenant: str
    service: str
    revision: str
    protocol: str
    count: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """A change of the number of instances that a revision should have: when, from what to what, and why.

    `why` is one word for programs and `reason` says it in words with numbers; `inputs` are the numbers that it was made
    from. `number` counts the decisions of this life of the orchestrator, `at_unix_s` are seconds since 1970.
    """

    tenant: str
    service: str
    revision: str
    number: int
    at_unix_s: float
    before: int
    count: int
    why: str
    reason: str
    inputs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceList:
    """The services, by tenant and name, and the counts that were set by hand for a while."""

    services: tuple[ServiceStatus, ...] = ()
    overrides: tuple[Override, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RevisionList:
    """The revisions that should have instances or have some, by tenant and name."""

    revisions: tuple[RevisionStatus, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class InstanceList:
    """The instances, by tenant, revision and age."""

    instances: tuple[InstanceStatus, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class EndpointList:
    """The endpoints of every revision with traffic or instances, by tenant and name."""

    endpoints: tuple[EndpointStatus, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class DecisionList:
    """The last decisions, in the order in which they were made."""

    decisions: tuple[ScalingDecision, ...] = ()
    version: int = VERSION
