"""How `runyard load` and vegeta agree, from the rounds of their benchmark."""

from __future__ import annotations

import pytest

from tests.bench import bench_load
from tests.bench.bench_load import OURS, VEGETA, Round
from tests.bench.load import Hit
from tests.unit.runyard.workload.server import serving


def test_hits_of_vegeta_are_percentiles_in_milliseconds_and_those_that_were_served() -> None:
    hits = [Hit(0, number / 1000, 200 if number > 10 else 503, "GET", "") for number in range(1, 101)]
    assert bench_load.vegeta_round(hits) == Round(90, (50, 95, 99))


def test_rows_have_ratios_to_vegeta_of_the_same_round() -> None:
    taken = {
        100: {
            VEGETA: [Round(200, (1.0, 2.0, 4.0)), Round(200, (10.0, 20.0, 40.0))],
            OURS: [Round(200, (1.1, 2.0, 8.0)), Round(100, (11.0, 20.0, 80.0))],
        }
    }
    _, vegeta, ours = bench_load.rows(taken, 2)
    assert (vegeta[1:3], vegeta[-3:]) == ([VEGETA, "100.00 %"], ["1.00", "1.00", "1.00"])
    assert (ours[1:3], ours[-3:]) == ([OURS, "75.00 %"], ["1.10", "1.00", "2.00"])
    assert ours[3] == "6.05 (1.10 to 11.00)"


def test_our_round_sends_both_methods_and_counts_what_was_served() -> None:
    with serving() as served:
        found = bench_load.our_round(served.port, 40, 1, 1)
    methods = [method for method, *_ in served.requests]
    assert (found.served, len(methods), set(methods)) == (40, 40, {"GET", "POST"})
    assert found.percentiles == pytest.approx(sorted(found.percentiles))
