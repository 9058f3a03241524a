"""Service messages: what an update asks the orchestrator to make of a service, and what it is told of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION
from runyard.contracts.revision import SignedRevision
from runyard.contracts.rollout import RolloutRequest, TrafficShare
from runyard.contracts.route import RouteRequest

Outcome = Literal["ready", "failed", "superseded"]


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """Asks the orchestrator to keep these revisions, make those with traffic ready, then put both requests in force.

    `revisions` are all that stay, newest first. `values` maps the digest of each of their secret values to the value.
    """

    route: RouteRequest
    rollout: RolloutRequest
    revisions: tuple[SignedRevision, ...]
    # Never in a log: not even a message that is printed whole shows it.
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RolloutAccepted:
    """The number of a rollout that has begun; `epoch` changes when the orchestrator starts anew and forgets it."""

    epoch: str
    rollout: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RolloutOutcome:
    """How a rollout ended: `detail` and the instance's last log lines say why it failed."""

    rollout: int
    tenant: str
    service: str
    outcome: Outcome
    detail: str = ""
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RolloutOutcomes:
    """The rollouts that ended after a number of the watcher's, in the order in which they ended.

    `last` is the number to ask after next; outcomes are numbered by when they ended, not by their rollouts.
    """

    epoch: str
    last: int
    outcomes: tuple[RolloutOutcome, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class ServiceHolding:
    """What the orchestrator has of a service: digests of its signed documents by identity, of its route and rollout.

    `documents` are the SHA-256 of each `SignedRevision.document`; `route` and `rollout` those of the encoded messages
    that were put in force last; `goal` is the traffic in force, or what it is on its way to.
    """

    tenant: str
    service: str
    documents: Mapping[str, str] = field(default_factory=dict)
    route: str = ""
    rollout: str = ""
    goal: tuple[TrafficShare, ...] = ()
    # Whether every revision with traffic has its instances ready, or has none on purpose.
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the orchestrator has of everything that updates put; `claim` is the digest of the stack's claim.

    `strangers` names the containers with the stack's labels that are nobody's: not served, and left alone.
    `certificates` maps a certificate's name to the digest of its chain, `images` the engine's ids of the images that
    revisions with traffic are made of to their names.
    """

    services: tuple[ServiceHolding, ...] = ()
    certificates: Mapping[str, str] = field(default_factory=dict)
    claim: str = ""
    strangers: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    in_step: bool = False
    version: int = VERSION
