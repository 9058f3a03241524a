"""Zones: the local time of a moment, by the names of the tz database that the machine has."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class LocalMinute:
    """A minute as a clock and a calendar on the wall show it; weekdays count from Sunday, which is 0."""

    minute: int
    hour: int
    day: int
    month: int
    weekday: int


def is_zone(name: str) -> bool:
    """Tell whether the machine knows a zone of this name, such as UTC or Europe/Berlin."""
    return _zone(name) is not None


def local_minute(unix_s: float, zone: str) -> LocalMinute:
    """Give the local time of a moment in seconds since 1970; ValueError if the machine does not know the zone."""
    found = _zone(zone)
    if found is None:
        raise ValueError(f"must be a zone of the tz database such as UTC or Europe/Berlin, got {zone!r}")
    local = datetime.fromtimestamp(unix_s, found)
    return LocalMinute(local.minute, local.hour, local.day, local.month, local.isoweekday() % 7)


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo | None:
    # The one zone that is there without any database.
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
