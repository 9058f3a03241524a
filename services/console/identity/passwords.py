"""Passwords: hashed with Argon2id, compared in the same time whether there is such a user or not, few at once."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from services.console.refusal import Refusal

# ASVS 5, 6.2.1 asks for eight at least and recommends fifteen; nobody types more than the upper one.
SHORTEST, LONGEST = 12, 256
# Each takes 64 MiB (RFC 9106's second choice, the library's default) and a quarter of a second of a core.
AT_ONCE = 2
# Who waits for longer than this for a turn is asked to come again.
PATIENCE_S = 10


class Passwords:
    """Hashes and compares, `AT_ONCE` at a time; Refusal 503 when there is no turn."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = BoundedSemaphore(AT_ONCE)
        # What is compared for a user that is not there, at the same cost.
        self._nobodys = self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str, email: str) -> str:
        """Hash a new password; Refusal 400 says what it must be."""
        if not SHORTEST <= len(password) <= LONGEST:
            told = f"password: must have {SHORTEST} to {LONGEST} characters, got {len(password)}"
            raise Refusal(HTTPStatus.BAD_REQUEST, told)
        if email.partition("@")[0] in password.lower():
            raise Refusal(HTTPStatus.BAD_REQUEST, "password: must not have the name of the e-mail address in it")
        return self.rehash(password)

    def rehash(self, password: str) -> str:
        """Hash a password that was taken before."""
        with self._turn():
            return self._hasher.hash(password)

    def fits(self, password: str, known: str | None) -> bool:
        """Tell whether a password is that of a hash; for None it never is, after as much work."""
        with self._turn():
            try:
                return self._hasher.verify(known or self._nobodys, password[: LONGEST + 1]) and known is not None
            except VerificationError:
                return False

    def is_outdated(self, known: str) -> bool:
        """Tell whether a hash was made with less work than one is today."""
        return self._hasher.check_needs_rehash(known)

    def _turn(self) -> _Turn:
        return _Turn(self._turns)


class _Turn:
    """One of the few that may hash."""

    def __init__(self, turns: BoundedSemaphore) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        if not self._turns.acquire(timeout=PATIENCE_S):
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "sign in: too many at once", retry_after_s=PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        self._turns.release()
