"""The benchmark of the simulation: what it calls met, what missed, and that its traces are what they say."""

from __future__ import annotations

import re

import pytest

from runyard.scaling.simulation import Outcome
from runyard.scaling.trace import shaped
from tests.bench.bench_simulated import LENGTH_S, PEAK_RPS, REQUEST_S, STEP_S, TRACES, Live, report, start_of


def told(live_s: float, foretold_s: float, live_starts: int, foretold_starts: int) -> str:
    live = Live(live_s, live_starts, 3, [100.0, 300.0], 1, start_s=0.25)
    outcome = Outcome(instance_s=foretold_s, cold_starts=foretold_starts, peak=4, responses={300: 20})
    return report({"step": (live, outcome)})


def test_what_is_within_both_bounds_is_met() -> None:
    assert re.search(
        r"^step +250 +100\.0 +109\.0 +9% off, 10%: met +8 +7 +12% off, 15%: met +3 +4$", told(100, 109, 8, 7), re.M
    )


@pytest.mark.parametrize("foretold_s", [89.0, 111.0])
def test_instance_seconds_are_missed_on_either_side(foretold_s: float) -> None:
    assert "11% off, 10%: missed" in told(100, foretold_s, 1, 1)


def test_cold_start_that_was_none_is_missed() -> None:
    assert "100% off, 15%: missed" in told(100, 100, 0, 1)
    assert "0% off, 15%: met" in told(100, 100, 0, 0)


def test_times_and_failures_are_told() -> None:
    assert told(1, 1, 1, 1).splitlines()[-2:] == [
        "p95 in ms, live and foretold: step 300 and 300",
        "1 of 2 requests failed",
    ]


@pytest.mark.parametrize("name", TRACES)
def test_trace_is_of_a_minute_and_never_above_its_peak(name: str) -> None:
    batches = list(shaped(TRACES[name], PEAK_RPS, REQUEST_S, STEP_S))
    assert 20 < sum(each.requests for each in batches) <= PEAK_RPS * LENGTH_S
    assert max(each.at_s for each in batches) < LENGTH_S
    assert max(each.requests for each in batches) <= PEAK_RPS * STEP_S + 1


def test_start_is_from_a_decision_for_more_until_so_many_are_ready() -> None:
    made = [
        {"at_unix_s": 10.0, "before": 0, "count": 1},
        {"at_unix_s": 12.0, "before": 1, "count": 3},
        {"at_unix_s": 14.0, "before": 3, "count": 2},
        # Fewer are wanted before it was reached.
        {"at_unix_s": 20.0, "before": 2, "count": 9},
        {"at_unix_s": 21.0, "before": 9, "count": 2},
        {"at_unix_s": 30.0, "before": 2, "count": 4},
    ]
    ready = [(10.1, 0), (10.3, 1), (12.5, 2), (12.9, 3), (20.5, 3), (21.5, 9), (30.5, 4)]
    assert start_of(made, ready) == pytest.approx(0.5)
