"""Signals of the decision: how each is measured, what of it asks for instances, and what of it never does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.contracts import ScalingSignal
from runyard.scaling.counts import Span
from runyard.scaling.decision import Why
from runyard.scaling.scaler import Memory, Situation, decide
from runyard.scaling.settings import ScalingSettings
from runyard.scaling.window import Sample
from tests.unit.runyard.scaling.story import SETTINGS, TICK_S, Story

RPS = dataclasses.replace(SETTINGS, signals=(ScalingSignal("rps", 5.0),))
MEMORY = dataclasses.replace(SETTINGS, signals=(*SETTINGS.signals, ScalingSignal("memory", 100.0)))
CPU = dataclasses.replace(SETTINGS, signals=(*SETTINGS.signals, ScalingSignal("cpu", 700.0)))


def steady(at_once: float) -> Callable[[float], float]:
    return lambda _: at_once


@pytest.mark.parametrize(
    ("before", "after", "within_s"),
    [
        # Twice what the ready ones are to have counts over two seconds, less over the six of the panic window.
        (7.0, 70.0, 1.0),
        (7.0, 14.5, 4.0),
        (70.0, 95.0, 6.0),
    ],
)
def test_larger_rise_counts_sooner(before: float, after: float, within_s: float) -> None:
    story = Story()
    story.run(steady(before), 200)
    changes = story.run(steady(after), 30)
    assert changes
    assert changes[0][0] <= 200 + within_s


def test_panic_threshold_says_what_is_a_sudden_rise() -> None:
    patient = Story(dataclasses.replace(SETTINGS, panic_ratio=10.0))
    patient.run(steady(7), 200)
    hasty = Story(dataclasses.replace(SETTINGS, panic_ratio=1.1))
    hasty.run(steady(7), 200)
    assert hasty.run(steady(18), 30)[0][0] < patient.run(steady(18), 30)[0][0]


def test_longer_panic_window_follows_a_rise_later() -> None:
    short, long = (Story(dataclasses.replace(SETTINGS, panic_window_s=each)) for each in (3, 30))
    for story in (short, long):
        story.run(steady(7), 200)
    assert short.run(steady(13), 60)[0][0] < long.run(steady(13), 60)[0][0]


def test_longer_window_keeps_instances_longer() -> None:
    gone = []
    for window_s in (10, 60):
        story = Story(dataclasses.replace(SETTINGS, window_s=window_s))
        story.run(steady(70), 100)
        gone.append(story.run(steady(0), 300)[0][0])
    assert gone[0] + 40 <= gone[1]


def test_rates_wake_and_sleep_as_concurrency_does() -> None:
    story = Story(RPS, count=0)
    story.run(steady(0), 5)
    assert story.run(steady(20), 10)[0][0] <= 6
    story.run(steady(20), 60)
    assert story.count == 4
    story.run(steady(0), 200)
    assert story.count == 0


def test_memory_that_nobody_read_holds() -> None:
    story = Story(MEMORY)
    story.memory_bytes = 350
    story.run(steady(5), 60)
    assert story.count == 4
    story.memory_bytes = None
    assert story.run(steady(5), 300) == []
    assert (story.decision.why, story.decision.inputs.unknown) == (Why.UNKNOWN, "memory")


def test_memory_of_the_last_instance_keeps_none_and_wakes_none() -> None:
    story = Story(MEMORY)
    story.memory_bytes = 90
    story.run(steady(5), 60)
    assert story.count == 1
    assert [count for _, count in story.run(steady(0), 200)] == [0]
    story.memory_bytes = 900
    assert story.run(steady(0), 60) == []


def test_cpu_of_starting_instances_is_averaged_over_the_panic_window() -> None:
    story = Story(CPU)
    story.run(steady(5), 100, cpu=steady(500))
    # A second at four cores is no load of four cores, which six instances would carry.
    story.run(steady(5), 1, cpu=steady(4000))
    assert story.count == 2


def test_requests_that_are_served_are_told_from_those_that_wait() -> None:
    story = Story()
    story.run(steady(6), 60)
    for _ in range(10):
        story.now_s = round(story.now_s + TICK_S, 3)
        story.tell(10, waiting=5)
    decision = story.decide()
    assert (decision.inputs.waiting, decision.inputs.requests) == (5, 15)
    # Fifteen come in a second and each takes one, which is twice what the one instance is to have.
    assert decision.count == 3


def test_given_span_of_one_count_needs_no_memory() -> None:
    memory = Memory(SETTINGS, 0.0)
    assert decide(SETTINGS, memory, Situation(9, 9, Span(0, 0), woken=True), 5.0).count == 0
    assert memory.window.last is None


def test_wake_before_any_sample_is_no_hold() -> None:
    decision = decide(SETTINGS, Memory(SETTINGS, 0.0), Situation(0, 0, Span(0, 9), woken=True), 5.0)
    assert (decision.count, decision.why, decision.hold) == (1, Why.WOKEN, False)
    assert decision.reason == "a request waits for it: it starts 1"


def test_wake_of_what_runs_keeps_it() -> None:
    story = Story()
    story.run(steady(0), 55)
    for _ in range(100):
        story.now_s = round(story.now_s + TICK_S, 3)
        story.tell(0)
        assert story.decide(woken=True).count == 1
    # From the last wake on it is idle again.
    assert story.run(steady(0), 55) == []
    assert [count for _, count in story.run(steady(0), 20)] == [0]


SCALINGS = st.builds(
    ScalingSettings,
    signals=st.lists(
        st.builds(ScalingSignal, st.sampled_from(("concurrency", "rps", "cpu", "memory")), st.floats(0.01, 1e4)),
        min_size=1,
        max_size=4,
    ).map(tuple),
    capacity=st.integers(1, 1000),
    window_s=st.integers(6, 120),
    panic_window_s=st.integers(1, 6),
    panic_ratio=st.floats(1.1, 10.0),
    scale_down_delay_s=st.integers(0, 60),
    retention_s=st.integers(0, 60),
    activation=st.integers(1, 9),
    aggregation=st.sampled_from(("linear", "weighted-exponential")),
)
TOLD = st.tuples(
    st.floats(0.05, 4.0),
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(0, 5000),
    st.none() | st.integers(0, 9999),
)


@settings(max_examples=120, deadline=None)
@given(SCALINGS, st.lists(TOLD, max_size=40), st.integers(0, 30), st.booleans())
def test_any_settings_and_any_numbers_give_a_count_within_bounds_with_a_reason(
    scaling: ScalingSettings,
    told: list[tuple[float, int, int, int, int | None]],
    start: int,
    woken: bool,
) -> None:
    memory, now_s, count, request_ms, arrivals, span = Memory(scaling, 0.0), 0.0, start, 0, 0, Span(0, 50)
    for step, in_flight, waiting, more, gauge in told:
        now_s, request_ms, arrivals = now_s + step, request_ms + more, arrivals + more // 10
        memory.observe(Sample(now_s, in_flight, waiting, arrivals, request_ms, "a", gauge, gauge))
        decision = decide(scaling, memory, Situation(count, count // 2, span, woken), now_s)
        assert span.least <= decision.count <= 50
        assert decision.reason
        assert all(math.isfinite(each) for each in decision.numbers.values())
        # Whoever waits for what sleeps is heard.
        assert decision.count >= int(woken)
        count = decision.count
