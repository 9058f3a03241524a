"""Window: what was told is laid to its seconds, what was not is missing, and sums leave nothing behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.scaling.window import GAP_S, Sample, Totals, Window


def sample(at_s: float, request_ms: int = 0, arrivals: int = 0, **fields: int | str) -> Sample:
    given = {"in_flight": 0, "waiting": 0, "epoch": "a", **fields}
    return Sample(at_s=at_s, request_ms=request_ms, arrivals=arrivals, **given)  # type: ignore[arg-type]


def told(window: Window, seconds: int, at_once: int, start: int = 0) -> None:
    for tick in range(5 * seconds + 1):
        passed = 200 * tick
        window.add(sample(start + tick / 5, passed * at_once, passed * at_once // 1000))


def test_average_is_exact_over_the_seconds_that_were_told() -> None:
    window = Window(60, 6)
    told(window, 30, 4)
    assert window.stable.concurrency == window.panic.concurrency == window.recent().concurrency == 4.0
    assert window.stable.rps == pytest.approx(4.0)
    assert window.coverage == 0.5


def test_gap_is_missing_and_not_zero() -> None:
    window = Window(60, 6)
    told(window, 10, 4)
    told(window, 10, 4, start=30)
    assert window.stable.concurrency == 4.0
    assert window.stable.covered_ms == 20_000


def test_longest_step_is_no_gap() -> None:
    window = Window(60, 6)
    window.add(sample(0.0))
    window.add(sample(GAP_S, 2000))
    window.add(sample(GAP_S + 2.5, 90_000))
    assert (window.stable.covered_ms, window.stable.request_ms) == (2000, 2000)


@pytest.mark.parametrize("after", [sample(1.0, 10, epoch="b"), sample(1.0, 4), sample(1.0, 10, arrivals=-1)])
def test_another_life_of_the_gateway_is_a_beginning_and_no_load(after: Sample) -> None:
    window = Window(60, 6)
    window.add(sample(0.5, 5))
    window.add(after)
    assert window.stable == Totals()
    assert window.last == after


def test_sample_that_is_no_later_tells_nothing() -> None:
    window = Window(60, 6)
    window.add(sample(1.0, 5))
    window.add(sample(1.0, 500))
    assert window.last is not None
    assert window.last.request_ms == 5


def test_seconds_leave_both_windows_in_their_time() -> None:
    window = Window(60, 6)
    told(window, 10, 4)
    window.roll(12.0)
    # Seconds 7 to 9, and the first sample of the tenth.
    assert window.panic.covered_ms == 3200
    window.roll(30.0)
    assert (window.panic, window.stable.covered_ms) == (Totals(), 10_000)
    window.roll(1000.0)
    assert window.stable == Totals()


def test_cpu_counter_that_fell_is_not_told_for_that_moment() -> None:
    window = Window(60, 6)
    for at_s, cpu_ms in ((0.0, 1000), (1.0, 1500), (2.0, 700), (3.0, 1200)):
        window.add(sample(at_s, cpu_ms=cpu_ms))
    assert (window.stable.cpu_covered_ms, window.stable.cpu_millis) == (2000, 500.0)


def test_weighted_window_follows_a_rise_sooner_than_a_linear_one() -> None:
    linear, weighted = Window(60, 6), Window(60, 6, "weighted-exponential")
    for window in (linear, weighted):
        told(window, 20, 1)
        for tick in range(1, 11):
            window.add(sample(20 + tick / 5, 20_000 + 2000 * tick, 20 + 2 * tick))
    assert linear.short().concurrency < weighted.short().concurrency < 10.0
    assert linear.stable == weighted.stable


def test_time_of_a_request_leaves_out_what_waits() -> None:
    window = Window(60, 6)
    window.add(sample(0.0, waiting=10))
    window.add(sample(1.0, 10_000 + 2000, 20, waiting=10))
    # Twenty came and ten wait still; two were served at any time, for a second.
    assert window.service_s == pytest.approx(0.2)
    assert Window(60, 6).service_s is None


STEPS = st.lists(st.tuples(st.floats(0.05, 100.0), st.integers(0, 5000), st.integers(0, 50)), max_size=80)


@given(STEPS)
def test_sums_are_those_of_the_seconds_within_the_windows(steps: list[tuple[float, int, int]]) -> None:
    window, now_s, request_ms, arrivals = Window(10, 3), 0.0, 0, 0
    by_second: dict[int, list[int]] = {}
    before = None
    for step, more_ms, more in steps:
        now_s, request_ms, arrivals = now_s + step, request_ms + more_ms, arrivals + more
        window.add(sample(now_s, request_ms, arrivals))
        if before is not None and now_s - before <= GAP_S:
            sums = by_second.setdefault(int(now_s), [0, 0])
            sums[0] += more_ms
            sums[1] += more
        before = now_s
    for totals, length in ((window.stable, 10), (window.panic, 3), (window.recent(), 2)):
        kept = [sums for second, sums in by_second.items() if int(now_s) - length < second]
        assert totals.request_ms == sum(sums[0] for sums in kept)
        assert totals.arrivals == sum(sums[1] for sums in kept)
