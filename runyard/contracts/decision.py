"""Decision message: how many instances each revision in force should have, why, and what it was decided from."""

from __future__ import annotations

from dataclasses import dataclass, field

from runyard.codec import VERSION


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """What a decision was made from; what was not measured is absent.

    `need` and `peak` are in instances that have what they are to have. `signal` is the one that asks for the most: its
    `value` is an average over `over_s` seconds and `target` what one instance is to have of it, in requests at once
    (concurrency), requests a second (rps), thousandths of a core (cpu) or bytes (memory). `wanted` is what the load
    alone asks for, `coverage` the part of the window that was told, 0 to 1.
    """

    requests: int = 0
    waiting: int = 0
    ready: int = 0
    signal: str = ""
    value: float = 0.0
    target: float = 0.0
    need: float = 0.0
    over_s: int = 0
    peak: float | None = None
    wanted: int = 0
    unknown: str = ""
    coverage: float | None = None
    silent_s: float | None = None
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """One decision: the count from which and to which, why in one word and in words with numbers.

    `hold` says that the count is only kept, because what would decide it was not told. `at_unix_s` is the wall clock's.
    """

    at_unix_s: float
    before: int
    count: int
    why: str
    reason: str
    hold: bool = False
    inputs: DecisionInputs = field(default_factory=DecisionInputs)


@dataclass(frozen=True, slots=True)
class RevisionDecisions:
    """What was decided on a revision in force: the `latest` decision, and those that `changed` its count, oldest first.

    `count` is what the load asks for now, within `least` and `most` (None is no limit); `ready` instances serve.
    `asleep` says that it has none and waits for a request.
    """

    tenant: str
    service: str
    revision: str
    count: int
    ready: int
    least: int
    most: int | None = None
    asleep: bool = False
    latest: ScalingDecision | None = None
    changed: tuple[ScalingDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of all revisions in force, by tenant and revision."""

    revisions: tuple[RevisionDecisions, ...] = ()
    version: int = VERSION
