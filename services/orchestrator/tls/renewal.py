"""Renewal: when a certificate is due, a pure function of its dates, its failures and the time (all in seconds)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# A third of its life is left to try again in (Let's Encrypt's own advice for certificates of 90 days).
RENEW_AT = 2 / 3
# Hosts that came together shall not be renewed together; a day and a bit of 90.
JITTER = 1 / 72
# Let's Encrypt allows five failed validations of a host in an hour. At 0, 5, 15 and 35 minutes these are four.
FIRST_RETRY_S = 300.0
# At least twice a day, so that a certificate with ten days left has twenty tries.
LAST_RETRY_S = 43_200.0


@dataclass(frozen=True, slots=True)
class Life:
    """From when to when a certificate counts."""

    not_before: float
    not_after: float


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row an order failed, when it did last, and why."""

    count: int
    last: float
    reason: str


def renew_at(host: str, life: Life) -> float:
    """Give the time from which a certificate is renewed: two thirds of its life, a little less by the host's name."""
    length = life.not_after - life.not_before
    share = int.from_bytes(hashlib.sha256(host.encode()).digest()[:4], "big") / 2**32
    return life.not_before + length * (RENEW_AT - JITTER * share)


def retry_at(failures: Failures) -> float:
    """Give the time before which nothing is tried again: five minutes after the first failure, then ever longer."""
    return failures.last + float(min(FIRST_RETRY_S * 2 ** (failures.count - 1), LAST_RETRY_S))


def due(
    hosts: Iterable[str], lives: Mapping[str, Life], failures: Mapping[str, Failures], now: float
) -> tuple[str, ...]:
    """List the hosts whose certificate is to be ordered now: those without one first, then the oldest."""
    found = []
    for host in hosts:
        life, failed = lives.get(host), failures.get(host)
        if failed is not None and now < retry_at(failed):
            continue
        if life is None or now >= renew_at(host, life):
            found.append((life.not_after if life else 0.0, host))
    return tuple(host for _, host in sorted(found))


def next_due(hosts: Iterable[str], lives: Mapping[str, Life], failures: Mapping[str, Failures]) -> float:
    """Give the time when the next of these is due; for ever when there are none."""
    times = [float("inf")]
    for host in hosts:
        life, failed = lives.get(host), failures.get(host)
        times.append(max(renew_at(host, life) if life else 0.0, retry_at(failed) if failed else 0.0))
    return min(times)
