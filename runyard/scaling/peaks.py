"""Peaks: the highest of what was needed within any of the last seconds, in the space of what still matters."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque


class Peaks:
    """Highest value of each second, as long as no later one is as high; so they fall from the oldest to the newest."""

    def __init__(self, kept_s: int) -> None:
        self._kept_s = kept_s
        self._peaks: deque[tuple[int, float]] = deque()

    def add(self, at_s: float, value: float) -> None:
        """Take a value of a moment that is no earlier than those before."""
        second, peaks = int(at_s), self._peaks
        while peaks and peaks[-1][1] <= value:
            peaks.pop()
        if not peaks or peaks[-1][0] != second:
            peaks.append((second, value))
        while peaks[0][0] < second - self._kept_s:
            peaks.popleft()

    def highest(self, now_s: float, within_s: int) -> float:
        """Give the highest value of the last seconds; 0 where there was none."""
        peaks, since = self._peaks, int(now_s) - within_s
        if not peaks:
            return 0.0
        if peaks[0][0] >= since:
            return peaks[0][1]
        at = bisect_left(peaks, (since, float("-inf")))
        return peaks[at][1] if at < len(peaks) else 0.0
