"""Throttle: how often somebody may guess: by user, by address, and by a browser that the user is known in.

A browser with the cookie of an earlier sign-in is counted by itself (OWASP: device cookies), so whoever guesses a
user's password, or many users', keeps the user from nothing. Counts are in memory: a restart forgets them.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock

from services.console.refusal import Refusal

WINDOW_S = 900.0
# Failures in a window: of one user, of one address with whatever users, and of one known browser.
BY_USER, BY_ADDRESS, BY_DEVICE = 10, 100, 10
# Keys that are counted at once; beyond them the one that was used longest ago is forgotten.
MOST_KEYS = 20_000


@dataclass
class Throttle:
    """Counts tries before they are made, and takes back those that were right."""

    clock: Callable[[], float]
    _tries: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def enter(self, email: str, address: str, device: str = "") -> Callable[[], None]:
        """Count a try and give what takes it back; Refusal 429 when there were too many, which are not counted.

        `device` names a browser that is known for the user; it is empty otherwise, as is a user who is not known yet.
        """
        limits = {f"from {address}": BY_ADDRESS}
        if device:
            limits = {f"device {device}": BY_DEVICE}
        elif email:
            limits[f"user {email}"] = BY_USER
        with self._lock:
            now = self.clock()
            wait_s = max(self._wait_s(key, most, now) for key, most in limits.items())
            if wait_s > 0:
                told = "sign in: too many failures, for this user or from this address"
                raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, told, retry_after_s=math.ceil(wait_s))
            for key in limits:
                self._tries.setdefault(key, deque()).append(now)
                self._tries.move_to_end(key)
            while len(self._tries) > MOST_KEYS:
                self._tries.popitem(last=False)

        def take_back() -> None:
            with self._lock:
                for key in limits:
                    tries = self._tries.get(key)
                    if tries and now in tries:
                        tries.remove(now)

        return take_back

    def _wait_s(self, key: str, most: int, now: float) -> float:
        tries = self._tries.get(key)
        if tries is None:
            return 0.0
        while tries and now - tries[0] >= WINDOW_S:
            tries.popleft()
        return tries[0] + WINDOW_S - now if len(tries) >= most else 0.0
