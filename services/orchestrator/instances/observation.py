"""Observation: what a decision sees and remembers, and the actions that it may choose from.

Everything here is frozen data; `decision.decide` turns it into actions. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from services.orchestrator.model.instance import Health, Instance
from services.orchestrator.model.revision import Revision


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
    and `starting` those of them that are being made, with their revision; those that are `turning` to sleep serve soon
    if they are wanted again. `deleted` names services that were removed on purpose and `abandoned` revisions that never
    got traffic; their instances need no grace. `restarting` are instances that somebody wants to be replaced: not
    because they failed, so another need not wait; those that are `draining` go before anything serves in their place.
    `freezing` names the revisions of which one instance is frozen while
    none is wanted, `in_flight` the requests of instances among which some must be chosen to go, as far as known.
    """

    revisions: Mapping[str, Revision] = field(default_factory=dict)
    instances: tuple[Instance, ...] = ()
    wanted: Mapping[str, int] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    starting: Mapping[str, str] = field(default_factory=dict)
    turning: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    abandoned: frozenset[str] = frozenset()
    restarting: frozenset[str] = frozenset()
    draining: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    freezing: frozenset[str] = frozenset()
    in_flight: Mapping[str, int] = field(default_factory=dict)


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
class FreezeInstance:
    """Withdraw an instance, wait until it is idle, and pause it."""

    instance: str


@dataclass(frozen=True, slots=True)
class ThawInstance:
    """Let a paused instance go on."""

    instance: str
    revision: str


@dataclass(frozen=True, slots=True)
class EndBoost:
    """Hold an instance to its limit of CPU, of which it could take more to start."""

    instance: str
    revision: str


@dataclass(frozen=True, slots=True)
class RemoveInstance:
    """Withdraw and remove an instance; `failure` says why and is empty when it is merely surplus.

    One that still serves is drained first.
    """

    instance: str
    failure: str = ""
    drained: bool = True


Action = CreateInstance | StartContainer | FreezeInstance | ThawInstance | EndBoost | RemoveInstance


def one_of_each(instances: Iterable[Instance], restarting: Collection[str]) -> frozenset[str]:
    """Give the instance of each revision whose turn it is to be replaced: the oldest of those that are to be."""
    turn: dict[str, str] = {}
    for each in instances:
        if each.id in restarting:
            turn[each.key] = min(each.id, turn.get(each.key, each.id), key=lambda instance: int(instance, 16))
    return frozenset(turn.values())
