"""Run: one container from its start to its end, how far its use is told, and what of it is in open windows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runyard.cgroups import Counters
from runyard.contracts import WINDOW_MS, UsageAmounts

# A reading belongs to the five seconds before it. After more than this it tells of a time that nobody looked at.
ESTIMATED_MS = 30_000


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Whose container it is, and since when it runs.

    `container` is the engine's id, `name` and limits are those of the document, `place` is the instance's address.
    """

    tenant: str
    service: str
    revision: str
    instance: str
    place: str
    container: str
    started_ms: int
    serving: bool
    name: str = ""
    cpu_millis: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """What is told so far of a run in a window that begins at `start_ms`."""

    start_ms: int
    amounts: UsageAmounts


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as plain data; `cpu_us` is -1 before the first reading of one that ran before it was known."""

    identity: RunIdentity
    told_ms: int
    cpu_us: int
    peak_bytes: int
    frozen: bool
    ended_ms: int
    windows: tuple[OpenWindow, ...] = ()


class Run:
    """A run; `told_ms` is until when its use is told, and `ended_ms` 0 while it goes on."""

    def __init__(self, state: RunState) -> None:
        self.identity = state.identity
        self.told_ms = state.told_ms
        self.ended_ms = state.ended_ms
        self._cpu_us, self._peak_bytes, self._frozen = state.cpu_us, state.peak_bytes, state.frozen
        self._windows = {each.start_ms: each.amounts for each in state.windows}

    def export(self) -> RunState:
        """Give it as plain data."""
        windows = tuple(OpenWindow(start, amounts) for start, amounts in sorted(self._windows.items()))
        state = (self.told_ms, self._cpu_us, self._peak_bytes, self._frozen, self.ended_ms)
        return RunState(self.identity, *state, windows)

    def take(self, start_ms: int) -> UsageAmounts | None:
        """Take out what is told of a window; None if nothing is."""
        return self._windows.pop(start_ms, None)

    @property
    def has_windows(self) -> bool:
        """Whether anything is left of it that no closed window has."""
        return bool(self._windows)

    def observe(self, now_ms: int, open_ms: int, counters: Counters | None) -> None:
        """Tell its use until now, from what the kernel counts; without that, for how long it was up, as an estimate.

        What is of windows before `open_ms`, which are closed, goes to the first that is open.
        """
        begin, end = self.told_ms, min(now_ms, self.ended_ms or now_ms)
        if end <= begin:
            return
        self.told_ms = end
        parts = spread(begin, end, open_ms)
        vague = counters is None or end - begin > ESTIMATED_MS
        used = self._read_cpu(counters)
        frozen = self._frozen
        held = 0 if counters is None else counters.memory_bytes
        for (start, lasted), cpu_us in zip(parts.items(), shares(used, list(parts.values())), strict=True):
            self._add(
                start,
                UsageAmounts(
                    cpu_us=cpu_us,
                    memory_byte_ms=held * lasted,
                    memory_peak_bytes=held,
                    allocated_ms=lasted,
                    frozen_ms=lasted if frozen else 0,
                    estimated=vague,
                ),
            )
        if counters is not None:
            self._frozen = counters.frozen
            if counters.memory_peak_bytes > self._peak_bytes:
                # It grew since the last reading, so it was reached in what is told now.
                self._peak_bytes = counters.memory_peak_bytes
                self._add(max(parts), UsageAmounts(memory_peak_bytes=counters.memory_peak_bytes))

    def _read_cpu(self, counters: Counters | None) -> int:
        """Give the CPU time since the last reading."""
        if counters is None:
            return 0
        before, self._cpu_us = self._cpu_us, counters.cpu_us
        if before < 0:
            self._peak_bytes = counters.memory_peak_bytes
            return 0
        # The counter of one run never falls; should it, it counts from nothing again.
        return counters.cpu_us - before if counters.cpu_us >= before else counters.cpu_us

    def _add(self, start: int, more: UsageAmounts) -> None:
        self._windows[start] = added(self._windows.get(start, UsageAmounts()), more)

    def end(self, now_ms: int, open_ms: int) -> None:
        """Note that it has gone: just now or, where nobody looked for a while, when it was seen last.

        Between the last reading and its end the kernel's counters went unread, so what is told of that is an estimate.
        """
        self.ended_ms = now_ms if now_ms - self.told_ms <= ESTIMATED_MS else self.told_ms
        self.observe(now_ms, open_ms, None)

    def extend(self, until_ms: int, open_ms: int) -> None:
        """Note that one that went unseen still answered a request then."""
        if self.ended_ms and until_ms > self.ended_ms:
            self.ended_ms = until_ms
            self.observe(until_ms, open_ms, None)


def begin(identity: RunIdentity, now_ms: int, *, whole: bool) -> Run:
    """Begin a run: all of it if it was started since somebody looks (`whole`), else from now on."""
    told = identity.started_ms if whole else max(now_ms, identity.started_ms)
    return Run(RunState(identity, told, 0 if whole else -1, 0, False, 0))


def added(one: UsageAmounts, other: UsageAmounts) -> UsageAmounts:
    """Add up what is told of two parts of a window."""
    return replace(
        one,
        cpu_us=one.cpu_us + other.cpu_us,
        memory_byte_ms=one.memory_byte_ms + other.memory_byte_ms,
        memory_peak_bytes=max(one.memory_peak_bytes, other.memory_peak_bytes),
        allocated_ms=one.allocated_ms + other.allocated_ms,
        frozen_ms=one.frozen_ms + other.frozen_ms,
        estimated=one.estimated or other.estimated,
    )


def spread(begin_ms: int, end_ms: int, open_ms: int) -> dict[int, int]:
    """Cut a time into windows, by their starts; what is before the first open window is told with it."""
    found: dict[int, int] = {}
    for start, until in _cuts(begin_ms, end_ms):
        key = max(start - start % WINDOW_MS, open_ms)
        found[key] = found.get(key, 0) + until - start
    return found


def _cuts(begin_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    while begin_ms < end_ms:
        until = min(end_ms, begin_ms - begin_ms % WINDOW_MS + WINDOW_MS)
        yield begin_ms, until
        begin_ms = until


def shares(amount: int, weights: list[int]) -> list[int]:
    """Share an amount out by weights, in whole numbers that add up to it."""
    total, found, before, weight = sum(weights), [], 0, 0
    for each in weights:
        weight += each
        until = amount * weight // total
        found.append(until - before)
        before = until
    return found
