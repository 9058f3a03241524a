"""When a certificate is due: by its dates, its failures and the time."""

from __future__ import annotations

import pytest

from services.orchestrator.tls.renewal import Failures, Life, due, next_due, renew_at, retry_at

DAY = 86_400.0
LIFE = Life(1000 * DAY, 1090 * DAY)


def test_renewal_is_at_two_thirds_of_the_life_or_up_to_a_seventy_second_of_it_before() -> None:
    times = {renew_at(f"host-{number}.example", LIFE) for number in range(200)}
    assert min(times) >= 1000 * DAY + 90 * DAY * (2 / 3 - 1 / 72)
    assert max(times) <= 1060 * DAY
    # Spread over more than a day, and the same for a host whenever it is asked.
    assert max(times) - min(times) > DAY
    assert renew_at("a.example", LIFE) == renew_at("a.example", LIFE)


def test_host_is_due_without_a_certificate_and_from_its_renewal_on() -> None:
    lives = {"old.example": LIFE}
    at = renew_at("old.example", LIFE)
    hosts = ["old.example", "new.example"]
    assert due(hosts, lives, {}, at - 1) == ("new.example",)
    assert due(hosts, lives, {}, at) == ("new.example", "old.example")
    assert due([], lives, {}, at) == ()


def test_what_ends_first_goes_first() -> None:
    lives = {"later": Life(0, 10 * DAY), "sooner": Life(0, 9 * DAY)}
    assert due(["later", "sooner"], lives, {}, 100 * DAY) == ("sooner", "later")


def test_failed_order_waits_ever_longer_but_never_more_than_half_a_day() -> None:
    waits = [retry_at(Failures(count, 0.0, "")) for count in range(1, 12)]
    assert waits[:4] == [300, 600, 1200, 2400]
    assert waits[-1] == 43_200
    # Let's Encrypt: at most five failed validations of a host in an hour.
    tries, at = 0, 0.0
    while at < 3600:
        tries += 1
        at = retry_at(Failures(tries, at, ""))
    assert tries <= 4


def test_failed_host_is_left_out_until_its_retry() -> None:
    failures = {"a": Failures(1, 1000.0, "refused")}
    assert due(["a"], {}, failures, 1299) == ()
    assert due(["a"], {}, failures, 1300) == ("a",)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [([], float("inf")), (["new"], 0.0), (["failed"], 1300.0), (["kept"], None), (["kept", "failed"], 1300.0)],
)
def test_next_due_is_the_earliest_of_all(hosts: list[str], expected: float | None) -> None:
    failures = {"failed": Failures(1, 1000.0, "")}
    found = next_due(hosts, {"kept": LIFE}, failures)
    assert found == (renew_at("kept", LIFE) if expected is None else expected)
