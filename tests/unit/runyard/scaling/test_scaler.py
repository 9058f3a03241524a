"""Decision of the scaler, as stories with the time told, and what holds of every story."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.contracts import ScalingSignal
from runyard.scaling.counts import Span
from runyard.scaling.decision import Why
from runyard.scaling.scaler import HALVING_S, STALE_S, Memory, Situation, decide, instances_for
from runyard.scaling.window import Sample
from tests.unit.runyard.scaling.story import SETTINGS, TICK_S, Story, turns


def steady(at_once: float) -> Callable[[float], float]:
    return lambda _: at_once


@pytest.mark.parametrize(("need", "count"), [(0, 0), (0.01, 1), (1.0, 1), (1.01, 2), (10, 10), (14.3, 15)])
def test_instances_for_a_need(need: float, count: int) -> None:
    assert instances_for(need) == count


def test_step_to_ten_instances_worth_gets_enough_within_three_seconds() -> None:
    story = Story()
    story.run(steady(5), 120)
    assert story.count == 1
    changes = story.run(steady(100), 3)
    assert story.count >= 10
    assert changes[0][0] <= 121


@pytest.mark.no_cover
@pytest.mark.parametrize("at_once", [35.0, 63.0, 100.0, 250.0])
def test_steady_load_keeps_instances_between_60_and_80_percent_of_what_they_take(at_once: float) -> None:
    story = Story()
    story.run(steady(at_once), 900)
    assert 0.6 <= at_once / (10 * story.count) <= 0.8


@pytest.mark.no_cover
@pytest.mark.parametrize("period_s", [10, 90, 240])
@pytest.mark.parametrize("instances", [1, 2, 20])
@pytest.mark.parametrize("swing", [0.1, 0.2])
def test_sawtooth_at_the_threshold_turns_at_most_once_in_five_minutes(
    period_s: int, instances: int, swing: float
) -> None:
    story = Story(count=instances)
    saw = story.run(lambda now_s: 7 * instances * (1 + swing * (2 * (now_s % period_s) / period_s - 1)), 1500)
    moments = turns(saw, instances)
    assert all(later - earlier >= 300 for earlier, later in itertools.pairwise(moments))


def test_rise_within_the_tolerance_moves_nothing() -> None:
    story = Story()
    assert story.run(steady(7.6), 300) == []
    assert story.run(steady(8.5), 10) != []


def test_load_that_falls_away_halves_the_instances_after_a_window_and_ends_at_none() -> None:
    story = Story(count=1)
    story.run(steady(100), 60)
    assert story.count == 15
    changes = story.run(steady(0), 200)
    counts = [count for _, count in changes]
    assert counts[-1] == 0
    # What the seconds of the load needed stays for the window; never more than half go at once, every two seconds.
    assert changes[0][0] >= 120
    for (earlier, before), (later, after) in itertools.pairwise(changes):
        assert later - earlier >= HALVING_S
        assert after >= before // 2


def test_a_few_of_many_instances_are_removed_only_after_five_windows() -> None:
    story = Story()
    story.run(steady(70), 400)
    assert story.count == 10
    assert story.run(steady(64), 280) == []
    assert story.decision.why is Why.HELD
    # Until the window's average has been lower for so long.
    story.run(steady(64), 90)
    assert story.count == 9


def test_last_instance_stays_for_the_retention_period_after_a_window_without_requests() -> None:
    story = Story(dataclasses.replace(SETTINGS, retention_s=90))
    story.run(steady(3), 100)
    changes = story.run(steady(0), 300)
    assert [count for _, count in changes] == [0]
    assert 250 <= changes[0][0] <= 253


def test_retained_instance_says_how_long_it_was_idle() -> None:
    story = Story(dataclasses.replace(SETTINGS, retention_s=90))
    story.run(steady(3), 100)
    story.run(steady(0), 100)
    assert story.decision.why is Why.RETAINED
    assert story.decision.reason == "idle for 98 s: the last instance is kept for a while"


def test_delay_keeps_instances_for_its_time_beyond_the_window() -> None:
    story = Story(dataclasses.replace(SETTINGS, scale_down_delay_s=120))
    story.run(steady(100), 60)
    assert story.run(steady(10), 120) == []
    assert story.run(steady(10), 70) != []


def test_waking_starts_the_activation_scale_and_at_least_one() -> None:
    for activation, count in ((1, 1), (4, 4)):
        story = Story(dataclasses.replace(SETTINGS, activation=activation), count=0)
        # The wake comes before any sample tells of load.
        assert story.decide(woken=True).count == count
        assert story.decide(woken=True).count == count


def test_many_first_requests_start_what_they_need_and_no_more_while_they_wait() -> None:
    story = Story(count=0)
    story.run(steady(0), 1)
    counts = []
    for _ in range(10):
        story.now_s += TICK_S
        story.tell(0, waiting=55)
        counts.append(decide(story.settings, story.memory, Situation(story.count, 0, story.span), story.now_s).count)
        story.count = counts[-1]
    # Ten take a place each in six instances, and how long they take was never seen.
    assert counts == [6] * 10


@pytest.mark.parametrize("told_s", [0.01, 0.2, 1.5])
@pytest.mark.parametrize("took_s", [0.01, 0.4, 1.9])
def test_first_requests_that_one_instance_takes_start_one_however_long_they_took_before(
    told_s: float, took_s: float
) -> None:
    at_once = 50
    settings = dataclasses.replace(SETTINGS, signals=(ScalingSignal("concurrency", 56.0),), capacity=80)
    memory, span = Memory(settings, 0.0), Span(0, 100)
    memory.took_s = took_s
    memory.observe(Sample(100.0, 0, 0, 0, 0))
    # Woken between two samples, of which the second may come at once or late.
    now_s = 100.0 + told_s
    for _ in range(10):
        memory.observe(Sample(now_s, 0, at_once, at_once, round(1000 * at_once * (now_s - 100.0))))
        decision = decide(settings, memory, Situation(1, 0, span, woken=True), now_s)
        assert (decision.count, decision.inputs.waiting) == (1, at_once), decision.reason
        now_s = round(now_s + TICK_S, 3)


def test_first_requests_beyond_one_instance_start_as_many_as_those_that_came_need() -> None:
    memory, span = Memory(SETTINGS, 0.0), Span(0, 100)
    memory.took_s = 1.0
    memory.observe(Sample(100.0, 0, 0, 0, 0))
    memory.observe(Sample(100.01, 0, 35, 35, 350))
    assert decide(SETTINGS, memory, Situation(1, 0, span, woken=True), 100.01).count == 5


def test_requests_that_wait_are_worked_off_by_what_they_take_where_that_is_known() -> None:
    story = Story()
    story.run(steady(6), 60)
    story.now_s += TICK_S
    # A request takes a second, so in two seconds an instance serves twenty.
    story.tell(10, waiting=60)
    # The wait of a moment counts by half.
    assert story.decide().count == 3


def test_load_that_is_not_told_holds_the_count_and_says_so() -> None:
    story = Story()
    story.run(steady(70), 120)
    assert story.run(steady(0), 600, told=False) == []
    assert story.decision.hold
    assert story.decision.reason == "its load was last told 600.0 s ago: it keeps 10"


def test_after_a_gap_nothing_is_removed_until_a_window_was_told() -> None:
    story = Story()
    story.run(steady(70), 120)
    story.run(steady(0), 600, told=False)
    assert story.run(steady(0), 50) == []
    assert story.decision.why is Why.UNCOVERED
    assert story.run(steady(0), 60) != []


def test_restart_errs_upward() -> None:
    story = Story(count=8)
    # A new memory: little load at first only means that nothing was seen yet.
    assert story.run(steady(7), 50) == []
    story.run(steady(140), 10)
    assert story.count >= 14
    fresh = Memory(SETTINGS, 0.0)
    never = decide(SETTINGS, fresh, Situation(3, 3, Span(0, 9)), 100.0)
    assert (never.count, never.hold, never.reason) == (3, True, "its load was never told: it keeps 3")


def test_number_that_is_given_needs_no_load() -> None:
    given = decide(SETTINGS, Memory(SETTINGS, 0.0), Situation(3, 3, Span(5, 5)), 100.0)
    assert (given.count, given.why, given.reason) == (5, Why.FIXED, "its number is given: 5")


def test_bounds_hold_and_are_named() -> None:
    story = Story(span=Span(2, 4))
    story.run(steady(0), 200)
    assert (story.count, story.decision.why) == (2, Why.LEAST)
    story.run(steady(100), 10)
    assert (story.count, story.decision.why) == (4, Why.MOST)
    assert story.decision.reason.endswith(", at most 4 are allowed")


CPU = dataclasses.replace(SETTINGS, signals=(*SETTINGS.signals, ScalingSignal("cpu", 700.0)))


def test_largest_of_the_signals_wins() -> None:
    story = Story(CPU)
    story.run(steady(5), 60, cpu=steady(2800))
    assert (story.count, story.decision.inputs.signal) == (4, "cpu")


def test_cpu_that_is_not_told_holds_what_it_could_ask_for_and_lets_others_add() -> None:
    story = Story(CPU)
    story.run(steady(5), 60, cpu=steady(2800))
    story.cpu = False
    assert story.run(steady(5), 400) == []
    assert story.decision.reason == "its cpu was not told: it keeps 4"
    story.run(steady(140), 10)
    assert story.count >= 14


def test_memory_and_rates_count_too() -> None:
    memory = Story(dataclasses.replace(SETTINGS, signals=(ScalingSignal("memory", 100.0),)))
    memory.memory_bytes = 350
    memory.run(steady(1), 10)
    assert memory.count == 4
    rate = Story(dataclasses.replace(SETTINGS, signals=(ScalingSignal("rps", 5.0),)))
    rate.run(steady(20), 60)
    assert rate.count == 4


def test_reason_of_more_instances_has_the_numbers() -> None:
    story = Story()
    story.run(steady(5), 60)
    story.run(steady(9), 10)
    changed = story.changed
    assert (changed.count, changed.before, changed.why.value, changed.hold) == (2, 1, "more", False)
    assert changed.reason == "8.85 requests at once over 6 s at 7 each need 1.01 instances"


def test_idle_instance_that_works_for_itself_is_removed_all_the_same() -> None:
    story = Story(CPU)
    story.run(steady(5), 60, cpu=steady(300))
    assert [count for _, count in story.run(steady(0), 200, cpu=steady(40))] == [0]
    # What it left in the window wakes nothing.
    assert story.run(steady(0), 60, cpu=steady(40)) == []


LOADS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40), st.booleans()), min_size=1, max_size=60)
SPANS = st.builds(lambda least, more: Span(least, least + more), st.integers(0, 5), st.integers(1, 30))


@settings(max_examples=150, deadline=None)
@given(LOADS, SPANS, st.integers(0, 40))
def test_whatever_is_told_the_count_stays_in_its_bounds_and_halves_at_most(
    loads: list[tuple[int, int, bool]], span: Span, start: int
) -> None:
    assert span.most is not None
    story = Story(count=start, span=span)
    for at_once, waiting, told in loads:
        # Steps of up to some seconds, so that gaps and stale samples are among them.
        story.now_s = round(story.now_s + (0.2 if told else 5.0), 3)
        if told:
            story.tell(at_once, waiting)
        before = story.count
        decision = story.decide()
        assert span.least <= decision.count <= span.most
        if before <= span.most:
            assert decision.count >= before // 2
        if decision.hold:
            assert decision.count == min(max(before, span.least), span.most)
        if story.now_s - (story.memory.window.last.at_s if story.memory.window.last else -9) > STALE_S:
            assert decision.count >= min(before, span.most)


@settings(max_examples=100, deadline=None)
@given(LOADS, st.integers(1, 40), st.integers(0, 50))
def test_more_load_never_asks_for_fewer(loads: list[tuple[int, int, bool]], start: int, more: int) -> None:
    one, other = Story(count=start), Story(count=start)
    for at_once, _, told in loads:
        one.now_s = other.now_s = round(one.now_s + 1.0, 3)
        if told:
            one.tell(at_once)
            other.tell(at_once + more)
        # The same instances under both loads.
        less, larger = one.decide(), other.decide()
        assert less.count <= larger.count
        one.count = other.count = less.count


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.lists(st.floats(0.1, 30.0), min_size=1, max_size=40))
def test_nothing_told_never_ends_at_none(start: int, steps: list[float]) -> None:
    memory, now_s, count = Memory(SETTINGS, 0.0), 0.0, start
    memory.observe(Sample(0.0, 0, 0, 0, 0))
    for step in steps:
        now_s += step
        count = decide(SETTINGS, memory, Situation(count, count, Span(0, None)), now_s).count
        assert count == start
