"""Simulation: places, waiting and instances as they can be counted by hand, and the shapes that it runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.scaling.counts import Span
from runyard.scaling.simulation import Batch, Model, Outcome, Scaled, Unbounded, simulate
from runyard.scaling.trace import BASE, SHAPES, shaped
from runyard.scaling.window import Sample
from tests.unit.runyard.scaling.story import SETTINGS


class Planned:
    """A decider with a plan: the count from each second on."""

    def __init__(self, plan: dict[float, int]) -> None:
        self.plan, self.told = plan, list[Sample]()

    def count(self, sample: Sample, wanted: int, ready: int) -> int:
        self.told.append(sample)
        return next((count for at_s, count in reversed(self.plan.items()) if sample.at_s >= at_s), wanted)


def test_requests_take_places_for_their_time_and_the_rest_waits_in_order() -> None:
    decider = Planned({0: 1})
    # Two at once for two seconds: the third and fourth come when those are done.
    outcome = simulate([Batch(0.0, 4, 2.0)], 6, Model(2, 0.0, 1.0), decider, kept=1)
    assert outcome.responses == {2000: 2, 4000: 2}
    assert (outcome.late_s, outcome.active_s, outcome.instance_s) == (4.0, 4.0, 6.0)
    assert [(each.in_flight, each.waiting) for each in decider.told[:4]] == [(2, 2), (2, 2), (2, 0), (2, 0)]
    assert decider.told[-1].request_ms == 12_000


def test_part_of_a_step_takes_part_of_a_place() -> None:
    outcome = simulate([Batch(0.0, 25, 0.1)], 3, Model(2, 0.0, 1.0), Planned({0: 1}), kept=1)
    # Two places serve twenty in a second.
    assert outcome.responses == {100: 20, 1100: 5}
    assert (outcome.requests, outcome.late_s) == (25, 5.0)


def test_start_takes_its_time_and_from_none_it_is_a_cold_one() -> None:
    outcome = simulate([Batch(0.0, 1, 0.2)], 3, Model(10, 0.4, 0.2), Planned({0: 1}))
    assert (outcome.starts, outcome.cold_starts) == (1, 1)
    # Decided at the end of the first step, started in two.
    assert outcome.responses == {800: 1}


def test_instance_that_is_wanted_no_more_is_there_until_its_requests_are_done() -> None:
    outcome = simulate([Batch(0.0, 3, 4.0)], 10, Model(1, 0.0, 1.0), Planned({0: 3, 1: 0}), kept=3)
    assert outcome.responses == {4000: 3}
    assert outcome.instance_s == 12.0


def test_instance_goes_on_for_its_grace_and_is_taken_back_within_it() -> None:
    grace = Model(1, 0.0, 1.0, grace_s=2.0)
    outcome = simulate([], 10, grace, Planned({0: 3, 2: 1, 7: 0}), kept=3)
    # Three for two seconds and two of grace, then one, with its own grace.
    assert (outcome.instance_s, outcome.starts) == (3 * 4 + 5, 0)
    back = simulate([], 10, grace, Planned({0: 3, 2: 1, 3: 2}), kept=3)
    assert (back.instance_s, back.starts) == (3 * 4 + 2 * 6, 0)
    # In its grace it takes requests still.
    served = simulate([Batch(3.0, 2, 1.0)], 10, grace, Planned({0: 2, 2: 1}), kept=2)
    assert served.responses == {1000: 2}


def test_turn_is_a_count_that_goes_the_other_way() -> None:
    trace = [Batch(float(second), 1, 0.1) for second in range(10)]
    assert simulate(trace, 10, Model(1), Planned({0: 1, 2: 3, 4: 2, 6: 1, 8: 2}), kept=1).turns == 2


def test_who_knows_the_future_keeps_what_is_used() -> None:
    outcome = simulate([Batch(0.0, 25, 2.0), Batch(5.0, 1, 1.0)], 10, Model(10, 0.0, 1.0), Unbounded())
    assert (outcome.instance_s, outcome.late_s) == (7.0, 25.0)


def test_sleep_is_passed_over_and_its_end_is_not() -> None:
    trace = [Batch(10.0, 1, 0.1), Batch(100_000.0, 1, 0.1)]
    decided = Planned({})
    scaled = simulate(trace, 200_000, Model(10, 0.3, 1.0), Scaled(SETTINGS, Span(0, 9)))
    assert (scaled.requests, scaled.cold_starts) == (2, 2)
    # A window and some seconds for each of the two.
    assert 120 <= scaled.instance_s <= 140
    simulate(trace, 200_000, Model(10, 0.3, 1.0), decided)
    assert len(decided.told) < 200_000


def test_percentiles_are_of_the_requests() -> None:
    outcome = Outcome(responses={100: 94, 300: 5, 900: 1})
    assert [outcome.percentile_ms(percent) for percent in (50, 94, 95, 99, 100)] == [100, 100, 300, 300, 900]
    assert Outcome().percentile_ms(95) == 0


@pytest.mark.parametrize("name", SHAPES)
def test_shape_has_its_peak_and_is_the_same_each_time(name: str) -> None:
    shape = SHAPES[name]
    parts = [shape.part(at_s) for at_s in range(0, shape.length_s, 5)]
    assert 0.0 <= min(parts) <= max(parts) <= 1.0
    batches = list(shaped(shape, 50.0, 0.1, 1.0))
    assert batches == list(shaped(shape, 50.0, 0.1, 1.0))
    assert sum(each.requests for each in batches) == pytest.approx(50 * sum(parts) * 5, rel=0.05)
    assert shape.part(0.0) >= (0.0 if name == "idle" else BASE)


def test_step_is_served_by_enough_instances_within_three_seconds() -> None:
    peak = 10 * 10 / 0.1
    outcome = simulate(
        shaped(SHAPES["step"], peak, 0.1, 0.2), 900, Model(10, 0.3, 0.2), Scaled(SETTINGS, Span(0, 99)), drawn_s=0.2
    )
    after = {round(each.at_s - 600, 1): each.ready for each in outcome.moments}
    assert after[3.0] >= 10
    assert after[60.0] < 20


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 300), st.integers(1, 60), st.floats(0.01, 20)), max_size=30))
def test_every_request_is_answered_once(requests: list[tuple[float, int, float]]) -> None:
    trace = [Batch(*each) for each in sorted(requests)]
    outcome = simulate(trace, 3000, Model(5, 0.3, 1.0), Scaled(SETTINGS, Span(0, 50)))
    assert outcome.requests == sum(each.requests for each in trace) == sum(outcome.responses.values())
    least = simulate(trace, 3000, Model(5, 0.0, 1.0), Unbounded())
    assert outcome.instance_s >= 0.99 * outcome.active_s / 5
    assert least.instance_s <= outcome.instance_s + outcome.late_s + 1


def test_fewest_instances_are_those_of_the_moment_without_any_request() -> None:
    later = [(1000.0, Span(3, 9)), (2000.0, Span(0, 9))]
    model = Model(10, 0.3, 1.0, tuple(at_s for at_s, _ in later))
    outcome = simulate((), 200_000, model, Scaled(SETTINGS, Span(0, 9), later))
    # Begun when they are asked for, and kept until a window after they are not.
    assert (outcome.peak, outcome.starts, outcome.cold_starts) == (3, 3, 0)
    assert 3000 <= outcome.instance_s <= 3000 + 3 * 70


def test_sleep_ends_where_a_moment_brings_instances() -> None:
    decided = Planned({})
    simulate((), 200_000, Model(10, 0.3, 1.0, (100_000.0,)), decided)
    asked = [sample.at_s for sample in decided.told]
    assert len(asked) < 10
    assert any(100_000.0 <= each <= 100_001.0 for each in asked)


def test_first_requests_find_what_was_begun_before_them() -> None:
    trace = [Batch(1010.0, 20, 0.5)]
    cold = simulate(trace, 1100, Model(10, 5.0, 1.0), Scaled(SETTINGS, Span(0, 9)))
    warm = simulate(trace, 1100, Model(10, 5.0, 1.0, (1000.0,)), Scaled(SETTINGS, Span(0, 9), [(1000.0, Span(2, 9))]))
    assert (cold.cold_starts, warm.cold_starts) == (1, 0)
    assert cold.percentile_ms(50) >= 5000 > warm.percentile_ms(50)
