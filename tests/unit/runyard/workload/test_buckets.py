"""Buckets: wide enough to be added up, narrow enough to tell two runs apart."""

from __future__ import annotations

import math

import pytest

from runyard.workload.buckets import bucket_of, count, middle_ms, quantile


@pytest.mark.parametrize("ms", [0.0012, 0.5, 1.0, 9.99, 250.0, 30_000.0])
def test_middle_of_a_bucket_is_near_all_that_lies_in_it(ms: float) -> None:
    assert middle_ms(bucket_of(ms)) == pytest.approx(ms, rel=0.018)


@pytest.mark.parametrize("ms", [0.0, -1.0, 0.0005])
def test_what_is_shorter_than_a_microsecond_lies_in_the_first(ms: float) -> None:
    assert bucket_of(ms) == 0


def test_latencies_are_counted_in_order() -> None:
    counted = count([5.0, 1.0, 5.0])
    assert counted == ((bucket_of(1.0), 1), (bucket_of(5.0), 2))


def test_quantile_is_that_of_the_bucket_that_it_lies_in() -> None:
    counts = dict(count([1.0] * 98 + [100.0] * 2))
    assert quantile(counts, 0.5) == pytest.approx(1.0, rel=0.02)
    assert quantile(counts, 0.98) == pytest.approx(1.0, rel=0.02)
    assert quantile(counts, 0.99) == pytest.approx(100.0, rel=0.02)
    assert quantile(counts, 1.0) == pytest.approx(100.0, rel=0.02)


def test_quantile_passes_over_buckets_without_weight() -> None:
    assert quantile({bucket_of(1.0): 0.0, bucket_of(8.0): 3.0}, 0.0) == pytest.approx(8.0, rel=0.02)


def test_nothing_has_no_quantile() -> None:
    assert math.isnan(quantile({}, 0.5))
