"""Peaks: the highest value of any of the last seconds, as a plain search finds it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runyard.scaling.peaks import Peaks


def test_without_values_nothing_is_highest() -> None:
    assert Peaks(60).highest(10.0, 5) == 0.0


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 9)), min_size=1, max_size=60), st.integers(1, 30))
def test_highest_of_any_span_is_that_of_a_search(steps: list[tuple[float, int]], within_s: int) -> None:
    peaks, now_s, told = Peaks(30), 0.0, []
    for step, value in steps:
        now_s += step
        peaks.add(now_s, value)
        told.append((int(now_s), value))
        since = int(now_s) - within_s
        assert peaks.highest(now_s, within_s) == max(value for second, value in told if second >= since)
