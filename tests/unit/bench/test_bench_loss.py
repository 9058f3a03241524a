"""When an instance counts as ejected, and which requests count as slow."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.bench_loss import Loss
from tests.bench.load import Hit

# A request every 10 ms for ten seconds.
TIMES = [number / 100 for number in range(1000)]


def loss(failed: Callable[[float], bool], took_s: float = 0.001) -> Loss:
    return Loss([Hit(at, took_s, 502 if failed(at) else 200, "GET", "") for at in TIMES], began_s=2, ended_s=8)


def test_nothing_failed_is_ejected_at_once() -> None:
    assert loss(lambda _: False).ejected_s() == 0


def test_ejected_is_the_last_failure_before_a_calm_second() -> None:
    # One failure after the calm second (the instance is tried again) does not count.
    seen = loss(lambda at: 2 <= at <= 3.5 or at == 6.0).ejected_s()
    assert seen is not None
    assert abs(seen - 1.5) < 0.001


def test_failing_till_the_end_is_never_ejected() -> None:
    assert loss(lambda at: 2 <= at < 8 and at % 0.5 == 0).ejected_s() is None


def test_slow_requests_count_though_they_were_answered() -> None:
    seen = loss(lambda _: False, took_s=0.5)
    assert seen.slow() == len(TIMES)
    assert seen.ejected_s() is None


def test_failures_before_the_fault_are_no_part_of_ejecting() -> None:
    assert loss(lambda at: at < 2).ejected_s() == 0
