"""Zones: the days of a clock on the wall and the moments at which it shows a time, by the names of the tz database."""

from __future__ import annotations

import zoneinfo
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

_MINUTE_S, _DAY_S = 60, 86_400
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a calendar on the wall, by its number since 1970-01-01."""

    number: int

    @property
    def fields(self) -> tuple[int, int, int]:
        """Day of the month, month, and weekday from Sunday, which is 0."""
        found = self._date
        return found.day, found.month, found.isoweekday() % 7

    @property
    def utc_s(self) -> int:
        """When it begins in UTC, in seconds since 1970."""
        return self.number * _DAY_S

    @property
    def _date(self) -> date:
        return _EPOCH + timedelta(days=self.number)

    def later(self, days: int) -> Day:
        """Give the day so many days later."""
        return Day(self.number + days)

    def at(self, minute: int) -> datetime:
        """Give what the clock shows so many minutes after the day's name began."""
        return datetime.combine(self._date, time()) + timedelta(minutes=minute)


def parse_day(text: str) -> Day:
    """Parse an ISO date; ValueError if it is none."""
    return Day((date.fromisoformat(text) - _EPOCH).days)


def is_zone(name: str) -> bool:
    """Tell whether the machine knows a zone of this name, such as UTC or Europe/Berlin."""
    return _find(name) is not None


def local_day(unix_s: float, zone: str) -> Day:
    """Give the day of a moment in seconds since 1970; ValueError if the machine does not know the zone."""
    return Day((_local(unix_s, _zone(zone)).date() - _EPOCH).days)


def steady_offset_s(day: Day, zone: str) -> int | None:
    """Give how far a zone's clock is before UTC all day and the next; None where it changes.

    ValueError if the machine does not know the zone.
    """
    tz = _zone(zone)
    first, *others = (_offset_s(day.later(days).at(0).replace(tzinfo=tz)) for days in range(3))
    return first if all(each == first for each in others) else None


def shown_at(day: Day, minute: int, zone: str) -> tuple[int, ...]:
    """Give the moments at which a clock shows this minute of a day: two where it is put back, none where it skips it.

    ValueError if the machine does not know the zone.
    """
    tz, local = _zone(zone), day.at(minute)
    moments = (_moment(local, tz, fold) for fold in (0, 1))
    return tuple(dict.fromkeys(each for each in moments if _local(each, tz) == local))


def skipped_at(day: Day, minute: int, zone: str) -> tuple[int, int]:
    """Give the moment at which a clock skipped a minute of a day, and the seconds from that to the end of the skip.

    ValueError if the machine does not know the zone.
    """
    tz, local = _zone(zone), day.at(minute)
    # By the offset of after it, and by that of before (PEP 495): the skip lies between the two.
    early, late = _moment(local, tz, 1), _moment(local, tz, 0)
    after = _offset_s(datetime.fromtimestamp(late, tz))
    minutes = range(early, late + 1, _MINUTE_S)
    at = bisect_left(minutes, 1, key=lambda each: int(_offset_s(datetime.fromtimestamp(each, tz)) == after))
    return minutes[at], int((_local(minutes[at], tz) - local).total_seconds())


def _local(unix_s: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(unix_s, zone).replace(tzinfo=None)


def _moment(local: datetime, zone: tzinfo, fold: int) -> int:
    return int(local.replace(tzinfo=zone, fold=fold).timestamp())


def _offset_s(local: datetime) -> int:
    offset = local.utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _zone(name: str) -> tzinfo:
    found = _find(name)
    if found is None:
        raise ValueError(f"must be a zone of the tz database such as UTC or Europe/Berlin, got {name!r}")
    return found


@lru_cache(maxsize=64)
def _find(name: str) -> tzinfo | None:
    # The one zone that is there without any database.
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
