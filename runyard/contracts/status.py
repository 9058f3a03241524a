"""Status message: the orchestrator's whole view of its stack."""

from __future__ import annotations

from dataclasses import dataclass, field

from runyard.codec import VERSION
from runyard.contracts.budget import Restriction
from runyard.contracts.certificate import CertificateStatus
from runyard.contracts.objective import Objective
from runyard.contracts.rollout import TrafficShare


@dataclass(frozen=True, slots=True)
class RevisionStatus:
    """A revision as the orchestrator sees it; `reason` says why the last instance failed, with its last log lines.

    `held_s` is how much longer it keeps the capacity that it took over in a rollout, above its own minimum. One that is
    `asleep` has no instance that serves because nobody calls it, and a request wakes it. It may have `most`
    instances, -1 being any number. `restarts` and `oom_kills` count since the orchestrator started: instances that
    failed, and those of them that the kernel ended for their memory.
    """

    tenant: str
    service: str
    revision: str
    desired: int
    ready: int
    addresses: tuple[str, ...] = ()
    restarts: int = 0
    reason: str = ""
    logs: tuple[str, ...] = ()
    held_s: int = 0
    asleep: bool = False
    most: int = -1
    oom_kills: int = 0


@dataclass(frozen=True, slots=True)
class ShiftStatus:
    """Traffic on its way to `goal`; while `stalled` it is back where it was, because a new revision is not ready."""

    goal: tuple[TrafficShare, ...]
    remaining_s: int
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """The fewest instances that a service's schedule asks for now, and from when to when, in seconds since 1970.

    0 is from ever, and for ever; `following` are the fewest from the end on.
    """

    instances: int
    since_unix_s: int = 0
    until_unix_s: int = 0
    following: int = 0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service as the orchestrator sees it: traffic and hosts in force, its revisions from new to old.

    `shift` tells of traffic on its way, `schedule` of what its manifest's schedule asks for, if it has one.
    `paused_until_unix_s` is above 0 while its requests are kept from its instances, in seconds since 1970, and
    `restriction` is what its tenant's budget lets it have.
    """

    tenant: str
    service: str
    hosts: tuple[str, ...]
    uses: tuple[str, ...]
    traffic: tuple[TrafficShare, ...]
    history: tuple[str, ...] = ()
    shift: ShiftStatus | None = None
    schedule: ScheduleStatus | None = None
    paused_until_unix_s: int = 0
    objective: Objective = field(default_factory=Objective)
    restriction: Restriction | None = None

    @property
    def goal(self) -> tuple[TrafficShare, ...]:
        """The traffic that was asked for last: what is in force, or what it is on its way to."""
        return self.traffic if self.shift is None else self.shift.goal


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A part of the platform; `state` is running, paused, stopped, between (being made, restarted or removed) or gone.

    `restarts` counts how often this leader started it again because somebody had stopped it, `reason` says of the last
    time how it was found, or why it could not be started.
    """

    name: str
    state: str
    restarts: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrchestratorStatus:
    """The orchestrator's whole view; `generation` is the snapshot that the gateway confirmed last.

    `problems` says what keeps it from acting as it should, such as a document that cannot be read. `leader` is the part
    that answers, and `parts` are the others.
    """

    generation: int
    in_step: bool
    services: tuple[ServiceStatus, ...] = ()
    revisions: tuple[RevisionStatus, ...] = ()
    problems: tuple[str, ...] = ()
    certificates: tuple[CertificateStatus, ...] = ()
    leader: str = ""
    parts: tuple[PartStatus, ...] = ()
    version: int = VERSION
