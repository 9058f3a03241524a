"""The throttle: guesses are counted both ways, and whoever guesses keeps the user from nothing."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from services.console.identity.throttle import BY_ADDRESS, BY_USER, MOST_KEYS, WINDOW_S, Throttle
from services.console.refusal import Refusal


class Clock:
    """A clock of the test's own."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fails(throttle: Throttle, email: str, address: str, device: str = "") -> int:
    """Try with a wrong password: 401 where it was compared, else the status of the refusal."""
    try:
        throttle.enter(email, address, device)
    except Refusal as refusal:
        return int(refusal.status) if refusal.retry_after_s > 0 else 0
    return int(HTTPStatus.UNAUTHORIZED)


def test_thousand_wrong_passwords_of_one_user_are_compared_ten_times() -> None:
    throttle = Throttle(Clock())
    answers = [fails(throttle, "ann@example.org", f"10.0.{each // 250}.{each % 250}") for each in range(1000)]
    assert (answers.count(401), answers.count(429)) == (BY_USER, 1000 - BY_USER)


def test_one_wrong_password_for_each_of_a_thousand_users_is_compared_a_hundred_times() -> None:
    throttle = Throttle(Clock())
    answers = [fails(throttle, f"user{each}@example.org", "10.0.0.1") for each in range(1000)]
    assert answers.count(401) == BY_ADDRESS
    # Nobody else's address is slower for it.
    assert fails(throttle, "user1@example.org", "10.0.0.2") == 401


def test_user_in_a_known_browser_gets_in_while_others_guess_from_the_same_address() -> None:
    throttle = Throttle(Clock())
    for each in range(1000):
        fails(throttle, "ann@example.org", "10.0.0.1")
        fails(throttle, f"user{each}@example.org", "10.0.0.1")
    assert fails(throttle, "ann@example.org", "10.0.0.1") == 429
    throttle.enter("ann@example.org", "10.0.0.1", "her browser")()
    # Who stole the browser may not guess for ever either.
    stolen = [fails(throttle, "ann@example.org", "10.0.0.1", "her browser") for _ in range(30)]
    assert stolen.count(401) == BY_USER


def test_right_password_is_not_counted() -> None:
    throttle = Throttle(Clock())
    for _ in range(5 * BY_ADDRESS):
        throttle.enter("ann@example.org", "10.0.0.1")()
    assert fails(throttle, "ann@example.org", "10.0.0.1") == 401


def test_wait_is_told_and_ends() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(BY_USER):
        assert fails(throttle, "ann@example.org", "10.0.0.1") == 401
        clock.now += 1
    with pytest.raises(Refusal) as raised:
        throttle.enter("ann@example.org", "10.0.0.1")
    assert raised.value.retry_after_s == WINDOW_S - BY_USER
    clock.now += raised.value.retry_after_s
    assert fails(throttle, "ann@example.org", "10.0.0.1") == 401
    assert fails(throttle, "ann@example.org", "10.0.0.1") == 429


def test_memory_is_bounded_whatever_names_are_tried() -> None:
    throttle = Throttle(Clock())
    for each in range(MOST_KEYS):
        fails(throttle, f"user{each}@example.org", f"address {each}")
    assert len(throttle._tries) == MOST_KEYS
