"""The benchmark of waking, run small: what it measures is there, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.bench import bench_wake
from tests.unit.services.gateway.waker import Waker

pytestmark = pytest.mark.slow


def test_wakes_lose_and_double_nothing() -> None:
    assert "5 wakes of 20 first requests: 0 wrong" in bench_wake.measure_wakes(5, 20)


def test_release_tells_the_first_and_the_last() -> None:
    with bench_wake.running() as gateway, bench_wake.answering() as instance, Waker(gateway) as waker:
        first, last = bench_wake.release(gateway, instance, waker, 4)
    assert 0 < first <= last
    assert len(instance.seen) == 4
