"""Bursts: when an instance had a request in flight, each burst rounded up as it is billed. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

# Cloud Run bills the time of an instance up to the next 100 ms.
ROUNDED_MS = 100
# Of an instance that is asked now and then, some minutes; requests that began before are rare, and told from there on.
KEPT = 2_000
# Start, end of the last request, and until when it is told.
Burst = tuple[int, int, int]


class Bursts:
    """The bursts of one instance, apart from each other and in order; all times are milliseconds since 1970.

    Requests come when they end, so one that took long may join what were two bursts. Before `floor_ms` nothing is told.
    """

    def __init__(self, bursts: tuple[Burst, ...] = (), floor_ms: int = 0) -> None:
        self._starts = [each[0] for each in bursts]
        self._ends = [each[1] for each in bursts]
        self._told = [each[2] for each in bursts]
        self.floor_ms = floor_ms

    def export(self) -> tuple[Burst, ...]:
        """Give them as plain data."""
        return tuple(zip(self._starts, self._ends, self._told, strict=True))

    def add(self, begin_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Take in a request and give the time, in pieces, that was not told before.

        What was told is never taken back: where a request that ended later had begun earlier, the rounding of what it
        joins stays, so up to 100 ms more are told than one look at all of them would tell.
        """
        begin = max(begin_ms, self.floor_ms)
        # A request takes time, if less than a millisecond.
        end = max(end_ms, begin + 1)
        first, last = bisect_left(self._told, begin), bisect_right(self._starts, end)
        start = min([begin, *self._starts[first : first + 1]]) if first < last else begin
        end = max([end, *self._ends[first:last]])
        until = _rounded(start, end)
        while last < len(self._starts) and self._starts[last] <= until:
            # What it was rounded up to reaches the next one.
            end = self._ends[last]
            until = _rounded(start, end)
            last += 1
        until = max([until, *self._told[first:last]])
        pieces, at = [], start
        for old, told in zip(self._starts[first:last], self._told[first:last], strict=True):
            if at < old:
                pieces.append((at, old))
            at = told
        if at < until:
            pieces.append((at, until))
        self._starts[first:last], self._ends[first:last], self._told[first:last] = [start], [end], [until]
        self._forget()
        return pieces

    def _forget(self) -> None:
        if len(self._starts) > KEPT:
            gone = len(self._starts) - KEPT // 2
            self.floor_ms = self._told[gone - 1]
            del self._starts[:gone], self._ends[:gone], self._told[:gone]


def _rounded(start: int, end: int) -> int:
    return start + -(-(end - start) // ROUNDED_MS) * ROUNDED_MS
