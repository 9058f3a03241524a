"""The benchmarks' stopwatch, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bench.timing import Stopwatch, Timing, seconds_text


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def lasting(self, seconds: float) -> Callable[[], None]:
        def action() -> None:
            self.now += seconds

        return action


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_time_records_and_returns_what_an_action_took(clock: FakeClock) -> None:
    watch = Stopwatch(clock)
    assert watch.time("up", "ours", clock.lasting(2.5)) == 2.5
    assert watch.timing("up", "ours") == Timing((2.5,))


def test_time_does_not_record_an_action_that_fails(clock: FakeClock) -> None:
    def broken() -> None:
        raise ValueError("no")

    watch = Stopwatch(clock)
    with pytest.raises(ValueError, match="no"):
        watch.time("up", "ours", broken)
    assert watch.taken == {}


def test_take_turns_alternates_contenders() -> None:
    order: list[str] = []
    watch = Stopwatch()
    watch.take_turns("up", {name: lambda name=name: order.append(name) for name in ("a", "b")}, rounds=3)  # type: ignore[misc]
    assert order == ["a", "b"] * 3
    assert len(watch.timing("up", "b").seconds) == 3


def test_timing_shows_median_and_spread() -> None:
    assert str(Timing((3.0, 1.0, 2.0))) == "2 s (1 s to 3 s)"
    assert str(Timing((0.25,))) == "250 ms"


def test_table_shows_ratios_to_the_baseline_and_dashes_for_what_is_missing(clock: FakeClock) -> None:
    watch = Stopwatch(clock)
    watch.time("up", "ours", clock.lasting(3))
    watch.time("up", "theirs", clock.lasting(2))
    watch.time("no-op", "ours", clock.lasting(1))
    assert watch.table("theirs").splitlines() == [
        "       theirs  ours  of theirs",
        "up     2 s     3 s   1.50",
        "no-op  -       1 s   -",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(123.4, "123 s"), (12.34, "12.3 s"), (0.0123, "12.3 ms"), (0.000045, "45 us")]
)
def test_seconds_are_shown_in_a_readable_unit(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text
