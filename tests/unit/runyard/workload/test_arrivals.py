"""Arrivals: how many there are of each shape, when, to which target, and the same for the same seed."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from dataclasses import replace

import pytest

from runyard.workload.arrivals import SIMULATED, arrivals, count_arrivals, peak_rate, rate_at
from runyard.workload.model import Phase, Target
from tests.unit.runyard.workload.made import scenario


def moments(*phases: Phase, seed: int = 1) -> list[float]:
    return [at_s for at_s, _ in arrivals(scenario(phases=phases, seed=seed))]


def test_constant_rate_is_even_and_starts_in_the_middle_of_a_gap() -> None:
    assert moments(Phase("constant", 2.0, 2.0)) == pytest.approx([0.25, 0.75, 1.25, 1.75])


def test_phases_follow_each_other_without_a_gap() -> None:
    found = moments(Phase("constant", 1.0, 10.0), Phase("constant", 1.0, 20.0))
    assert len(found) == 30
    assert sum(at_s < 1.0 for at_s in found) == 10
    assert found[10] == pytest.approx(1.025)


def test_phase_of_no_rate_only_takes_time() -> None:
    assert moments(Phase("constant", 5.0, 0.0), Phase("constant", 1.0, 1.0)) == pytest.approx([5.5])


def test_ramp_has_half_of_its_requests_in_its_last_third() -> None:
    found = moments(Phase("ramp", 30.0, 20.0))
    assert len(found) == 300
    # Of a triangle, what lies before a part of its base is that part's square.
    assert sum(at_s < 30 * 0.5**0.5 for at_s in found) == pytest.approx(150, abs=1)


def test_ramp_begins_with_the_rate_that_is_said() -> None:
    ramp = Phase("ramp", 10.0, 30.0, begins_with=10.0)
    assert (rate_at(ramp, 0.0), rate_at(ramp, 5.0), rate_at(ramp, 10.0)) == (10.0, 20.0, 30.0)
    assert count_arrivals(ramp) == pytest.approx(200)


@pytest.mark.parametrize("shape", SIMULATED)
def test_shape_of_the_simulator_is_pressed_into_its_phase(shape: str) -> None:
    phase = Phase(shape, 60.0, 50.0)
    found = moments(phase)
    assert len(found) == pytest.approx(count_arrivals(phase), abs=1)
    assert 0 < len(found) < 50 * 60
    assert all(0 <= at_s < 60 for at_s in found)
    assert found == sorted(found)


def test_spike_is_as_high_as_it_is_said_to_be_and_a_tenth_between() -> None:
    spike = Phase("spike", 600.0, 100.0)
    assert (rate_at(spike, 0.0), rate_at(spike, 52.0), rate_at(spike, 100.0)) == (10.0, 100.0, 10.0)
    assert peak_rate(spike) == pytest.approx(100.0)


def test_poisson_gaps_are_exponential_and_as_many_as_the_rate_says() -> None:
    found = moments(Phase("constant", 400.0, 25.0, gaps="poisson"))
    gaps = [after - before for before, after in itertools.pairwise(found)]
    # Of 10,000: within four standard deviations, with a seed that is always the same.
    assert len(found) == pytest.approx(10_000, abs=400)
    assert statistics.mean(gaps) == pytest.approx(0.04, rel=0.05)
    # The standard deviation of an exponential is its mean; that of even gaps would be 0.
    assert statistics.stdev(gaps) == pytest.approx(0.04, rel=0.05)


def test_poisson_follows_the_rate_of_its_shape() -> None:
    found = moments(Phase("ramp", 100.0, 40.0, gaps="poisson"))
    assert sum(at_s < 50 for at_s in found) == pytest.approx(500, abs=100)
    assert sum(at_s >= 50 for at_s in found) == pytest.approx(1500, abs=160)


def test_same_seed_gives_the_same_requests_and_another_does_not() -> None:
    phase = Phase("constant", 10.0, 10.0, gaps="poisson")
    assert moments(phase, seed=7) == moments(phase, seed=7)
    assert moments(phase, seed=7) != moments(phase, seed=8)


def test_targets_come_by_their_weights() -> None:
    targets = tuple(Target(name, url="http://localhost/", weight=weight) for name, weight in (("a", 3), ("b", 1)))
    made = replace(scenario(rate=100.0, seconds=40.0), targets=targets)
    counted = Counter(target for _, target in arrivals(made))
    assert counted[0] + counted[1] == 4000
    assert counted[0] == pytest.approx(3000, abs=110)


def test_trace_comes_at_its_own_moments() -> None:
    trace = Phase("t.csv", 4.0, moments=((0.0, 0.0, 1.0), (0.3, 0.3, 1.0), (3.0, 3.0, 1.0)))
    assert moments(trace) == pytest.approx([0.0, 0.3, 3.0])
    assert (count_arrivals(trace), peak_rate(trace)) == (3.0, 2.0)


def test_counted_second_of_a_trace_is_laid_over_it() -> None:
    trace = Phase("t.csv", 2.0, moments=((0.0, 1.0, 4.0), (1.0, 2.0, 2.0)))
    assert moments(trace) == pytest.approx([0.125, 0.375, 0.625, 0.875, 1.25, 1.75])


def test_trace_of_half_the_rate_has_every_second_request() -> None:
    trace = Phase("t.csv", 10.0, moments=tuple((float(at), float(at), 0.5) for at in range(10)))
    assert moments(trace) == pytest.approx([0.0, 2.0, 4.0, 6.0, 8.0])
