from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.contracts import TrafficShare
from services.orchestrator.traffic.shift import apportion, gaining, moved_percent, next_step_s, percents, shift_traffic

OLD, NEW = (TrafficShare("web-1", 100),), (TrafficShare("web-2", 100),)
Traffic = tuple[TrafficShare, ...]


@pytest.mark.parametrize(
    ("elapsed_s", "moved"), [(0, 1), (0.9, 1), (1, 2), (50, 51), (98.9, 99), (99, 100), (100, 100), (-5, 1)]
)
def test_shift_of_ninety_nine_seconds_moves_one_percent_a_second(elapsed_s: float, moved: int) -> None:
    assert moved_percent(elapsed_s, 99) == moved


@pytest.mark.parametrize(("elapsed_s", "moved"), [(0, 1), (0.9, 1), (1, 26), (2, 51), (3, 76), (3.9, 76), (4, 100)])
def test_shift_of_little_time_takes_larger_and_equal_steps(elapsed_s: float, moved: int) -> None:
    assert moved_percent(elapsed_s, 4) == moved


def test_shift_of_no_time_moves_all_at_once() -> None:
    assert (moved_percent(0, 0), next_step_s(0, 0)) == (100, 0.0)


@given(duration_s=st.integers(1, 100_000), elapsed=st.floats(0, 1.2))
def test_shift_starts_with_one_percent_never_goes_back_and_is_done_at_its_end(duration_s: int, elapsed: float) -> None:
    at = elapsed * duration_s
    step = next_step_s(at, duration_s)
    assert moved_percent(0, duration_s) == 1
    assert moved_percent(duration_s, duration_s) == 100
    assert moved_percent(at, duration_s) <= moved_percent(at + 1, duration_s)
    # The next step is the next change, so that nobody has to look in between.
    assert moved_percent(at, duration_s) == moved_percent(at + max(0.0, step - 0.001), duration_s)
    if step:
        assert moved_percent(at, duration_s) < moved_percent(at + step + 0.001, duration_s)


@pytest.mark.parametrize(("moved", "expected"), [(0, (0, 100)), (1, (1, 99)), (60, (60, 40)), (100, (100, 0))])
def test_traffic_moves_from_the_old_revision_to_the_new_one(moved: int, expected: tuple[int, int]) -> None:
    found = percents(shift_traffic(OLD, NEW, moved))
    assert (found.get("web-2", 0), found.get("web-1", 0)) == expected


def test_small_difference_moves_a_point_at_once() -> None:
    after = (TrafficShare("web-1", 98), TrafficShare("web-2", 2))
    assert percents(shift_traffic(OLD, after, 1)) == {"web-1": 99, "web-2": 1}


def test_tags_are_the_new_ones_from_the_first_step_on() -> None:
    before = (TrafficShare("web-1", 100, "stable"),)
    after = (TrafficShare("web-2", 100), TrafficShare("web-1", 0, "old"), TrafficShare("web-2", 0, "next"))
    assert shift_traffic(before, after, 10) == (
        TrafficShare("web-2", 10),
        TrafficShare("web-1", 90, "old"),
        TrafficShare("web-2", 0, "next"),
    )


def test_several_revisions_gain_and_lose_in_proportion() -> None:
    before = (TrafficShare("a", 60), TrafficShare("b", 30), TrafficShare("c", 10))
    after = (TrafficShare("c", 40), TrafficShare("d", 60))
    assert percents(shift_traffic(before, after, 50)) == {"c": 25, "d": 30, "a": 30, "b": 15}


@st.composite
def traffic(draw: st.DrawFn) -> Traffic:
    weights = draw(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 9), min_size=1))
    return tuple(TrafficShare(name, percent) for name, percent in apportion(100, weights).items())


@given(before=traffic(), after=traffic(), moved=st.integers(0, 100))
def test_any_moment_of_any_shift_adds_up_and_lies_between_its_ends(before: Traffic, after: Traffic, moved: int) -> None:
    found, start, end = percents(shift_traffic(before, after, moved)), percents(before), percents(after)
    assert sum(found.values()) == 100
    for name, value in found.items():
        low, high = sorted((start.get(name, 0), end.get(name, 0)))
        assert low <= value <= high
    if moved in (0, 100):
        assert {name: value for name, value in found.items() if value} == (end if moved else start)


def test_gaining_names_revisions_and_how_much() -> None:
    assert gaining(OLD, (TrafficShare("web-1", 40), TrafficShare("web-2", 60))) == {"web-2": 60}


@given(total=st.integers(0, 100), weights=st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=6))
def test_apportion_leaves_nothing_over_and_strays_less_than_one(total: int, weights: dict[str, int]) -> None:
    given = apportion(total, weights)
    whole = sum(weights.values())
    assert sum(given.values()) == (total if whole else 0)
    assert all(abs(count - total * weights[name] / whole) < 1 for name, count in given.items())
