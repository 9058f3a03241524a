"""Recorded load message: the requests of a service by the minute, as the orchestrator kept them."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.codec import VERSION

# So much is kept: a week, and the day that goes on.
RECORDED_DAYS = 8
# A minute in which there was a request: its number since 1970, how many came in it, the milliseconds that requests
# spent at instances in it (those that came before too), and the most that came within one of its seconds.
RecordedMinute = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class RecordedLoad:
    """The load of a service from `since_unix_s` until `until_unix_s`, at most eight days; in seconds since 1970.

    `minutes` has those with a request, in order, each as its number since 1970, the requests that came, the
    milliseconds that requests spent at instances, without waiting for one, and the most that came within a second.
    Whatever a limit of the service refused never came.
    """

    tenant: str
    service: str
    since_unix_s: int
    until_unix_s: int
    minutes: tuple[RecordedMinute, ...] = ()
    version: int = VERSION
