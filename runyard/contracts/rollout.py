"""Rollout messages: a service's traffic over its revisions, asked for, moved back, and told of."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.codec import VERSION
from runyard.contracts.scaling import PRIORITY, ScheduledMinimum


@dataclass(frozen=True, slots=True)
class TrafficShare:
    """A revision's share of its service's requests in percent, and its tag."""

    revision: str
    percent: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """Asks the orchestrator to make every named revision ready by the deadline, then to move the traffic.

    The counts are the service's own, over all revisions by their share, and take effect without a new revision:
    `manual_instances` is exact and excludes the others, `schedule` has the fewest from certain moments on beside
    `min_instances`, and a `max_instances` of 0 is no limit. `priority` says which of its tenant's services get
    instances first on a host that is full. `duration_s` is the time over which the traffic moves; 0 is at once.
    """

    tenant: str
    service: str
    traffic: tuple[TrafficShare, ...]
    deadline_s: int = 600
    min_instances: int = 0
    max_instances: int = 0
    manual_instances: int | None = None
    schedule: tuple[ScheduledMinimum, ...] = ()
    priority: int = PRIORITY
    duration_s: int = 0
    # Every revision of the service whose templates stay, newest first: where a rollback finds the one before.
    history: tuple[str, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Asks the orchestrator to put all of a service's traffic on a revision of its history."""

    tenant: str
    service: str
    revision: str
    deadline_s: int = 60
    version: int = VERSION
