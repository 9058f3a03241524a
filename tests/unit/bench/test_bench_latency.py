"""What a proxy added, from the rounds of a latency benchmark."""

from __future__ import annotations

import pytest

from tests.bench import bench_latency
from tests.bench.load import Failed, Hit


def hit(took_s: float, status: int = 200) -> Hit:
    return Hit(0, took_s, status, "GET", "")


def test_percentiles_are_in_milliseconds() -> None:
    hits = [hit(number / 1000) for number in range(1, 1001)]
    assert bench_latency.percentiles("ours", hits) == [500, 990, 999]


def test_percentiles_refuse_a_failed_request() -> None:
    with pytest.raises(Failed, match="ours: requests failed: 1 "):
        bench_latency.percentiles("ours", [hit(0.1), hit(0.1, 502)])


def test_rows_subtract_the_direct_way_of_the_same_round() -> None:
    taken = {"direct": [[0.1, 0.5, 1.0], [0.2, 5.0, 9.0]], "ours": [[0.3, 0.9, 1.5], [0.4, 5.4, 9.5]]}
    made = bench_latency.rows(taken, {"direct": [0.0, 0.0], "ours": [0.1, 0.2]})
    assert made[2][:4] == ["ours", "0.20", "0.40", "0.50"]
    assert made[2][-1] == "0.150"
