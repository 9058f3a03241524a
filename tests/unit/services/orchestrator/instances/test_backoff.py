import pytest

from services.orchestrator.instances.backoff import HEALTHY_S, delay_s, slot_after_failure
from services.orchestrator.instances.observation import Slot


def test_delay_doubles_from_nothing_to_a_minute() -> None:
    assert [delay_s(count) for count in range(10)] == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_delay_of_a_huge_count_is_the_cap() -> None:
    assert delay_s(10**9) == 60


def test_first_failure_is_restarted_at_once() -> None:
    assert slot_after_failure(0, None, now=50.0) == Slot(failures=1, not_before=50.0)


def test_third_failure_in_a_row_waits_two_seconds() -> None:
    assert slot_after_failure(2, None, now=50.0) == Slot(failures=3, not_before=52.0)


@pytest.mark.parametrize(("served_s", "failures"), [(HEALTHY_S, 1), (HEALTHY_S - 0.1, 6)])
def test_failure_after_a_healthy_minute_counts_as_the_first(served_s: float, failures: int) -> None:
    assert slot_after_failure(5, 100.0 - served_s, now=100.0).failures == failures
