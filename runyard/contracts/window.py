"""Window messages: what each container used, interval by interval, as the meter measured it and the ledger takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runyard.codec import VERSION

# Windows begin and end at whole minutes of UTC, so that two meters, or one twice, cut time alike.
WINDOW_MS = 60_000

WindowKind = Literal["usage"]


@dataclass(frozen=True, slots=True)
class UsageAmounts:
    """What a container used in a window.

    `cpu_us` is CPU time, `memory_byte_ms` the memory in use times how long it was, and `memory_peak_bytes` the most at
    once. `active_ms` is the time with a request in flight, each burst of requests that overlap rounded up to 100 ms,
    `allocated_ms` the time for which the container was up, and `frozen_ms` the part of that for which it was paused.
    What a long request was active in windows that are closed already is told with the first that is open: sums are
    exact, and `active_ms` of one window may be more than `allocated_ms`. `requests`, and `egress_bytes`, what answers
    took that left the platform, are of the whole instance and stand on the container that takes its requests. The
    limits are the document's. `estimated` says that something of it could not be read and was told from what was.
    """

    cpu_us: int = 0
    memory_byte_ms: int = 0
    memory_peak_bytes: int = 0
    active_ms: int = 0
    allocated_ms: int = 0
    frozen_ms: int = 0
    requests: int = 0
    egress_bytes: int = 0
    cpu_limit_millis: int = 0
    memory_limit_bytes: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class UsageWindow:
    """What one container used in one window, `start_ms` <= time < `end_ms`, in milliseconds since 1970.

    `container` is the engine's id and `started_ms` when it was started: together they name the run whose counters were
    read, so a name that is used again, or a counter that begins anew, is another. Where an instance answered requests
    and went before anybody was told of it, `container` is `tenant/revision/address`, `started_ms` 0 and `instance`
    empty. A window of a run is told once and never changes: whoever gets it again has what it had.
    """

    tenant: str
    service: str
    revision: str
    instance: str
    container: str
    started_ms: int
    start_ms: int
    end_ms: int
    kind: WindowKind
    amounts: UsageAmounts


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """Windows that were closed together; sequences only grow, with gaps, also over a meter that lost its volume.

    Whoever has a batch asks for what came after its sequence. A batch without windows repeats the sequence that was
    asked for: there is nothing newer.
    """

    sequence: int
    windows: tuple[UsageWindow, ...] = ()
    version: int = VERSION
