"""Passwords: what may be one, and that a user who is not there costs as much as one who is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import pytest
from argon2 import PasswordHasher

from services.console.identity.passwords import AT_ONCE, LONGEST, SHORTEST, Passwords
from services.console.refusal import Refusal
from tests.unit.services.console.conftest import CHEAP


class Counting(PasswordHasher):
    """Counts what is compared, and how much at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.compared: list[str] = []
        self.now = self.most = 0
        self._lock = Lock()

    def verify(self, hash: Any, password: Any) -> Any:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.compared.append(str(hash).rpartition("$")[0].rpartition("$")[0])
        try:
            return super().verify(hash, password)
        finally:
            with self._lock:
                self.now -= 1


def test_password_fits_its_own_hash_alone() -> None:
    passwords = Passwords(CHEAP)
    known = passwords.hash("correct horse battery", "ann@example.org")
    assert known.startswith("$argon2id$")
    assert passwords.fits("correct horse battery", known)
    assert not passwords.fits("correct horse batterY", known)
    assert not passwords.fits("", known)


def test_user_who_is_not_there_costs_one_comparison_of_the_same_kind() -> None:
    hasher = Counting()
    passwords = Passwords(hasher)
    known = passwords.hash("correct horse battery", "ann@example.org")
    assert not passwords.fits("wrong horse battery", known)
    assert not passwords.fits("wrong horse battery", None)
    there, absent = hasher.compared
    assert there == absent


def test_few_are_compared_at_once() -> None:
    hasher = Counting()
    passwords = Passwords(hasher)
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: passwords.fits("x", None), range(64)))
    assert (len(hasher.compared), hasher.most <= AT_ONCE) == (64, True)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("x" * (SHORTEST - 1), "password: must have 12 to 256 characters, got 11"),
        ("x" * (LONGEST + 1), "password: must have 12 to 256 characters, got 257"),
        ("ANNA-and-more-of-it", "password: must not have the name of the e-mail address in it"),
    ],
)
def test_password_that_is_easy_to_guess_or_no_password_is_refused(password: str, said: str) -> None:
    with pytest.raises(Refusal) as raised:
        Passwords(CHEAP).hash(password, "anna@example.org")
    assert (raised.value.status, str(raised.value)) == (400, said)


def test_hash_that_was_made_with_less_work_is_outdated() -> None:
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    assert passwords.is_outdated(CHEAP.hash("x"))
    assert not passwords.is_outdated(passwords.rehash("x"))
