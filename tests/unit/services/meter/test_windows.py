"""Windows: every run's use is told once, in the minute in which it was, whatever comes late, restarts or goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.contracts import WINDOW_MS, RequestLine, UsageWindow, decode, encode
from services.meter.run import ESTIMATED_MS, shares, spread
from services.meter.windows import GRACE_MS, PATIENCE_MS, REMEMBERED_MS, Windows, WindowsState

from .story import MINUTE, SECOND, START, container, counters, instance, line, told


def fresh(seen_ms: int = START) -> Windows:
    return Windows(WindowsState(START, seen_ms))


def take(windows: Windows, at_ms: int, **fields: Any) -> None:
    windows.take(decode(RequestLine, line(at_ms, **fields)), at_ms)


def watched(windows: Windows, seconds: range, cpu_us_a_s: int = 100_000, **reading: Any) -> None:
    """Look at container c1 every few seconds, which uses so much of a core."""
    for second in seconds:
        windows.observe({"c1": counters(second * cpu_us_a_s, **reading)}, START + second * SECOND)


def test_use_is_told_minute_by_minute_and_nothing_before_it_is_over() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    watched(windows, range(5, 131, 5))
    assert windows.close(START + MINUTE + GRACE_MS - 1) == []
    (first,) = windows.close(START + MINUTE + GRACE_MS)
    assert (first.tenant, first.service, first.revision, first.instance) == ("shop", "web", "web-1", "a1")
    assert (first.container, first.started_ms, first.start_ms, first.end_ms) == ("c1", START, START, START + MINUTE)
    amounts = first.amounts
    assert (amounts.cpu_us, amounts.allocated_ms, amounts.memory_byte_ms) == (6_000_000, MINUTE, 1000 * MINUTE)
    assert (amounts.cpu_limit_millis, amounts.memory_limit_bytes) == (500, 128 * 1024**2)
    assert not amounts.estimated
    (second,) = windows.close(START + 2 * MINUTE + GRACE_MS)
    assert second.amounts.cpu_us == 6_000_000


def test_reading_over_a_border_is_shared_out_and_adds_up() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    windows.observe({"c1": counters(1_000_003)}, START + 50 * SECOND)
    windows.observe({"c1": counters(2_000_004)}, START + 70 * SECOND)
    closed = windows.close(START + 3 * MINUTE)
    assert told(closed, "cpu_us") == {0: 1_000_003 + 500_000, 1: 500_001}
    assert told(closed, "allocated_ms") == {0: MINUTE, 1: 10 * SECOND}


def test_run_that_was_there_before_the_metering_is_told_from_now_on() -> None:
    windows = fresh()
    windows.follow([instance(container(started_ms=START - 90 * MINUTE))], START + 10 * SECOND)
    windows.observe({"c1": counters(7_000_000, peak_bytes=9_999)}, START + 15 * SECOND)
    windows.observe({"c1": counters(7_500_000, peak_bytes=9_999)}, START + 20 * SECOND)
    (window,) = windows.close(START + MINUTE + GRACE_MS)
    assert (window.amounts.cpu_us, window.amounts.allocated_ms) == (500_000, 10 * SECOND)
    # Its peak was before, too.
    assert window.amounts.memory_peak_bytes == 1000


def test_run_that_began_while_the_meter_was_down_is_told_from_its_start() -> None:
    windows = fresh(seen_ms=START)
    windows.follow([instance(container(started_ms=START + 90 * SECOND))], START + 10 * MINUTE)
    windows.observe({"c1": counters(51_000_000)}, START + 10 * MINUTE)
    closed = windows.close(START + 20 * MINUTE)
    assert sum(told(closed, "cpu_us").values()) == 51_000_000
    assert told(closed, "allocated_ms") == {1: 30 * SECOND, **{minute: MINUTE for minute in range(2, 10)}}
    assert all(each.amounts.estimated for each in closed)


def test_gap_of_a_meter_that_was_down_is_filled_and_said_to_be_an_estimate() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    watched(windows, range(5, 61, 5))
    again = Windows(decode(WindowsState, encode(windows.export())))
    again.follow([instance()], START + 3 * MINUTE)
    again.observe({"c1": counters(18_000_000)}, START + 3 * MINUTE)
    closed = again.close(START + 4 * MINUTE)
    assert told(closed, "cpu_us") == {0: 6_000_000, 1: 6_000_000, 2: 6_000_000}
    assert [each.amounts.estimated for each in closed] == [False, True, True]


def test_run_that_ends_is_told_until_then_and_its_last_moments_are_an_estimate() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    watched(windows, range(5, 31, 5))
    windows.follow([], START + 32 * SECOND)
    (window,) = windows.close(START + 2 * MINUTE)
    assert (window.amounts.allocated_ms, window.amounts.cpu_us, window.amounts.estimated) == (32_000, 3_000_000, True)
    assert list(windows.live) == []


def test_run_that_went_while_nobody_looked_ended_when_it_was_seen_or_answered_last() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    watched(windows, range(5, 31, 5))
    windows.follow([], START + 30 * SECOND + ESTIMATED_MS + 1)
    take(windows, START + 45 * SECOND)
    (window,) = windows.close(START + 3 * MINUTE)
    assert (window.amounts.allocated_ms, window.amounts.requests) == (45 * SECOND, 1)


def test_restarted_container_is_another_run_whose_counter_begins_anew() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    windows.observe({"c1": counters(4_000_000)}, START + 20 * SECOND)
    windows.follow([instance(container(started_ms=START + 21 * SECOND))], START + 22 * SECOND)
    windows.observe({"c1": counters(1_000_000)}, START + 30 * SECOND)
    first, second = windows.close(START + 2 * MINUTE)
    assert (first.started_ms, first.amounts.cpu_us) == (START, 4_000_000)
    assert (second.started_ms, second.amounts.cpu_us) == (START + 21 * SECOND, 1_000_000)


def test_container_that_cannot_be_read_is_told_by_its_time_alone() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    windows.observe({"c1": None}, START + 5 * SECOND)
    (window,) = windows.close(START + 2 * MINUTE)
    assert (window.amounts.allocated_ms, window.amounts.cpu_us, window.amounts.estimated) == (5_000, 0, True)


def test_peak_is_of_the_window_in_which_it_was_reached() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    windows.observe({"c1": counters(1, 1000, peak_bytes=50_000)}, START + 30 * SECOND)
    windows.observe({"c1": counters(2, 2000, peak_bytes=50_000)}, START + 90 * SECOND)
    windows.observe({"c1": counters(3, 2000, peak_bytes=80_000)}, START + 150 * SECOND)
    closed = windows.close(START + 4 * MINUTE)
    assert told(closed, "memory_peak_bytes") == {0: 50_000, 1: 2000, 2: 80_000}


def test_frozen_time_is_told_apart_within_that_in_which_it_is_there() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    for second, frozen in ((5, False), (10, True), (15, True), (20, False), (25, False)):
        windows.observe({"c1": counters(second, frozen=frozen)}, START + second * SECOND)
    (window,) = windows.close(START + 2 * MINUTE)
    assert (window.amounts.frozen_ms, window.amounts.allocated_ms) == (10 * SECOND, 25 * SECOND)


def test_requests_count_where_they_ended_and_active_time_where_it_was() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    take(windows, START + 70 * SECOND, duration_s=20.0, bytes_out=500)
    take(windows, START + 70 * SECOND, duration_s=5.0, listener="internal")
    watched(windows, range(5, 131, 5))
    closed = windows.close(START + 4 * MINUTE)
    assert told(closed, "requests") == {0: 0, 1: 2, 2: 0}
    assert told(closed, "active_ms") == {0: 10 * SECOND, 1: 10 * SECOND, 2: 0}
    # What services of the platform ask each other has not left it.
    assert told(closed, "egress_bytes") == {0: 0, 1: 500, 2: 0}


def test_time_for_which_a_request_was_held_is_nobodys_active_time() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    take(windows, START + 10 * SECOND, duration_s=3.0, held_s=2.0)
    (window,) = windows.close(START + 2 * MINUTE)
    assert window.amounts.active_ms == 1000


def test_long_request_is_told_with_the_first_open_window_as_far_as_others_are_closed() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    watched(windows, range(5, 301, 5))
    before = windows.close(START + 4 * MINUTE)
    take(windows, START + 250 * SECOND, duration_s=240.0)
    after = windows.close(START + 6 * MINUTE)
    assert set(told(before, "active_ms").values()) == {0}
    assert sum(told(after, "active_ms").values()) == 240 * SECOND
    assert told(after, "active_ms") == {3: 230 * SECOND, 4: 10 * SECOND}


def test_active_time_is_of_every_container_and_requests_of_the_one_that_takes_them() -> None:
    windows = fresh()
    pair = instance(container("c1"), container("c2", serving=False, name="side"))
    windows.follow([pair], START)
    take(windows, START + SECOND)
    windows.observe({"c1": counters(1), "c2": counters(2)}, START + 5 * SECOND)
    one, other = windows.close(START + 2 * MINUTE)
    assert [(each.container, each.amounts.active_ms, each.amounts.requests) for each in (one, other)] == [
        ("c1", 100, 1),
        ("c2", 100, 0),
    ]


def test_request_that_no_instance_answered_uses_none() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    take(windows, START + SECOND, instance="", status=503)
    assert windows.close(START + 2 * MINUTE) == []


def test_instance_that_is_told_of_late_gets_its_first_requests() -> None:
    windows = fresh()
    take(windows, START + SECOND)
    windows.settle(START + 2 * SECOND)
    windows.follow([instance()], START + 2 * SECOND)
    windows.settle(START + 3 * SECOND)
    (window,) = windows.close(START + 2 * MINUTE)
    assert (window.container, window.amounts.requests) == ("c1", 1)


def test_requests_of_an_instance_that_nobody_tells_of_are_told_by_its_address() -> None:
    windows = fresh()
    take(windows, START + SECOND)
    take(windows, START + SECOND, revision="web-2")
    again = Windows(decode(WindowsState, encode(windows.export())))
    again.settle(START + SECOND + PATIENCE_MS)
    one, other = again.close(START + 2 * MINUTE)
    assert (one.container, one.started_ms, one.instance) == ("shop/web-1/10.0.0.2", 0, "")
    assert (one.amounts.requests, one.amounts.estimated) == (1, True)
    assert other.container == "shop/web-2/10.0.0.2"


def test_address_of_two_runs_in_turn_is_the_later_ones() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    take(windows, START + SECOND)
    windows.follow([instance(container("c9", START + 20 * SECOND), id_="a9")], START + 20 * SECOND)
    take(windows, START + 21 * SECOND)
    one, other = windows.close(START + 2 * MINUTE)
    assert [(each.container, each.amounts.requests) for each in (one, other)] == [("c1", 1), ("c9", 1)]


def test_what_has_gone_is_forgotten_after_a_while_and_nothing_is_left_of_it() -> None:
    windows = fresh()
    windows.follow([instance()], START)
    take(windows, START + SECOND)
    windows.follow([], START + 2 * SECOND)
    windows.close(START + REMEMBERED_MS + 3 * MINUTE)
    state = windows.export()
    assert (state.runs, state.instances, state.waiting) == ((), (), ())


def test_days_with_nothing_in_them_are_passed_at_once() -> None:
    windows = fresh()
    assert windows.close(START + 365 * 24 * 60 * MINUTE) == []
    assert windows.open_ms == START + 365 * 24 * 60 * MINUTE - MINUTE


def test_state_that_was_kept_and_read_again_is_the_same() -> None:
    windows = fresh()
    windows.follow([instance(container("c1"), container("c2", serving=False))], START)
    watched(windows, range(5, 70, 5), peak_bytes=9)
    take(windows, START + 40 * SECOND)
    take(windows, START + 41 * SECOND, instance="10.0.0.9:1")
    state = windows.export()
    assert Windows(decode(WindowsState, encode(state))).export() == state


Step = tuple[int, int]


@given(st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 10_000_000)), max_size=20), st.integers(0, 20))
def test_sums_over_windows_are_what_was_counted_whatever_the_readings_and_restarts(
    steps: list[Step], restart: int
) -> None:
    windows, closed, now, cpu = fresh(), list[UsageWindow](), START, 0
    windows.follow([instance()], START)
    for number, (lasted, used) in enumerate(steps):
        if number == restart:
            windows = Windows(decode(WindowsState, encode(windows.export())))
        now, cpu = now + lasted, cpu + used
        windows.observe({"c1": counters(cpu)}, now)
        take(windows, now, duration_s=0.0)
        closed += windows.close(now)
    closed += windows.close(now + 2 * MINUTE)
    assert sum(each.amounts.cpu_us for each in closed) == cpu
    assert sum(each.amounts.allocated_ms for each in closed) == now - START
    assert sum(each.amounts.requests for each in closed) == len(steps)
    assert len({(each.container, each.started_ms, each.start_ms) for each in closed}) == len(closed)
    assert all(each.start_ms % WINDOW_MS == 0 and each.end_ms == each.start_ms + WINDOW_MS for each in closed)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=9).filter(sum))
def test_shares_are_whole_and_add_up(amount: int, weights: list[int]) -> None:
    found = shares(amount, weights)
    assert sum(found) == amount
    assert all(abs(each - amount * weight / sum(weights)) <= 1 for each, weight in zip(found, weights, strict=True))


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (START, START, {}),
        (START + 1, START + 2, {START: 1}),
        (START + 59_000, START + 121_000, {START: 1000, START + MINUTE: MINUTE, START + 2 * MINUTE: 1000}),
        # What is closed already is told with the first that is open.
        (START - MINUTE - 5, START + 5, {START: MINUTE + 10}),
    ],
)
def test_time_is_cut_at_whole_minutes(begin: int, end: int, expected: dict[int, int]) -> None:
    assert spread(begin, end, START) == expected
