"""Account: everything that the meter has counted, in one state that is kept whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runyard.cgroups import Counters
from runyard.codec import VERSION
from runyard.contracts import WINDOW_MS, InstanceStatus, RequestLine, UsageBatch, UsageWindow, decode
from runyard.errors import ContractError
from services.meter.requests import RequestCounts, RequestState
from services.meter.tail import TailState
from services.meter.windows import Windows, WindowsState

# An answer stays below half a megabyte.
BATCH_WINDOWS = 1_000


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many lines were taken in, and how many were none that this version can read."""

    taken: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that is counted, and up to where it was read: one without the other would lose or double.

    `pending` are batches that were closed with this state; the spool gets them after it, so that a kill between the two
    leaves them here.
    """

    tail: TailState
    windows: WindowsState
    requests: RequestState = field(default_factory=RequestState)
    lines: LineCounts = field(default_factory=LineCounts)
    sequence: int = 0
    windows_closed: int = 0
    pending: tuple[UsageBatch, ...] = ()
    version: int = VERSION


def first_checkpoint(now_ms: int) -> Checkpoint:
    """Give the state of a metering that begins now."""
    return Checkpoint(TailState(), WindowsState(now_ms - now_ms % WINDOW_MS, now_ms))


class Account:
    """The counts; `read_ms` and `looked_ms` are until when the log was read and the containers were looked at."""

    def __init__(self, state: Checkpoint) -> None:
        self.requests = RequestCounts(state.requests)
        self.windows = Windows(state.windows)
        self.taken, self.refused = state.lines.taken, state.lines.refused
        self.sequence, self.windows_closed = state.sequence, state.windows_closed
        self.pending = list(state.pending)
        self.read_ms = self.looked_ms = state.windows.seen_ms
        self.refusal = ""

    def export(self, tail: TailState) -> Checkpoint:
        """Give the whole state, with how far the log was read."""
        return Checkpoint(
            tail=tail,
            windows=self.windows.export(),
            requests=self.requests.export(),
            lines=LineCounts(self.taken, self.refused),
            sequence=self.sequence,
            windows_closed=self.windows_closed,
            pending=tuple(self.pending),
        )

    def take(self, lines: Iterable[bytes], now_ms: int) -> None:
        """Take in lines of the log; what is none, or of a newer version, is counted and left out."""
        for text in lines:
            try:
                line = decode(RequestLine, text)
            except ContractError as error:
                self.refused, self.refusal = self.refused + 1, str(error)
                continue
            self.taken += 1
            self.requests.take(line)
            self.windows.take(line, now_ms)

    def follow(self, instances: Iterable[InstanceStatus], now_ms: int) -> None:
        """Take in which instances there are."""
        self.windows.follow(instances, now_ms)
        self.windows.seen_ms = now_ms

    def observe(self, count: Callable[[str], Counters | None], now_ms: int, *, known: bool) -> Mapping[str, Counters]:
        """Look at every container and give what is counted of those that can be read.

        `known` says that the registry tells which there are: who came while it does not is counted from its start.
        """
        found = {run.identity.container: count(run.identity.container) for run in self.windows.live}
        self.windows.observe(found, now_ms)
        self.looked_ms = now_ms
        if known:
            self.windows.seen_ms = now_ms
        return {container: counters for container, counters in found.items() if counters is not None}

    def close(self, now_ms: int) -> None:
        """Close the windows of which all was read and looked at, and make batches of them."""
        self.windows.settle(self.read_ms)
        closed = self.windows.close(min(self.read_ms, self.looked_ms))
        self.windows_closed += len(closed)
        for batch in batches(closed, self.sequence, now_ms):
            self.sequence = batch.sequence
            self.pending.append(batch)


def batches(windows: Sequence[UsageWindow], last: int, now_ms: int) -> Iterator[UsageBatch]:
    """Make batches of windows; their sequences are moments, so that they grow over a spool that was lost, too."""
    for number in range(0, len(windows), BATCH_WINDOWS):
        last = max(last + 1, now_ms)
        yield UsageBatch(last, tuple(windows[number : number + BATCH_WINDOWS]))
