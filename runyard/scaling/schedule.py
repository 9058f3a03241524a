"""Schedule of a service: fewest instances from certain moments on, by cron in UTC or a named zone; pure.

An entry is `COUNT at MINUTE HOUR DAY MONTH WEEKDAY [ZONE]`, and holds until another one comes due. Fields are cron's:
`*`, numbers, ranges, lists and steps; where day and weekday are both said, either will do. What a clock that is put
forward skips does not come due that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from runyard.contracts import ScheduledMinimum
from runyard.zones import LocalMinute, is_zone, local_minute

# More than anybody keeps in mind, and few enough to be looked at every minute.
ENTRIES_LIMIT = 32
COUNT_LIMIT = 1000
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
# Some entry of any year comes due within it; 29 February may not.
_LOOK_BACK_DAYS = 366
_MINUTE_S = 60
_UTC = "UTC"


def parse_schedule(text: str) -> tuple[ScheduledMinimum, ...]:
    """Parse a schedule, its entries parted by semicolons; ValueError says which entry, which rule, what was seen."""
    entries = [entry.split() for entry in text.split(";") if entry.strip()]
    if not 1 <= len(entries) <= ENTRIES_LIMIT:
        raise ValueError(f"must have 1 to {ENTRIES_LIMIT} entries, got {len(entries)}")
    return tuple(_entry(number, words) for number, words in enumerate(entries, 1))


def minimum_at(schedule: Sequence[ScheduledMinimum], unix_s: float) -> int:
    """Give the fewest instances at a moment in seconds since 1970: the count of what came due last, or none.

    Of two that come due in one minute the later in the list counts. ValueError if the machine lacks a zone.
    """
    count, latest = 0, -1
    for entry in schedule:
        due = _last_due(entry, int(unix_s) // _MINUTE_S * _MINUTE_S)
        if due is not None and due >= latest:
            count, latest = entry.instances, due
    return count


def _entry(number: int, words: list[str]) -> ScheduledMinimum:
    if len(words) not in (7, 8) or words[1] != "at":
        seen = " ".join(words)
        raise ValueError(f"entry {number}: must be COUNT at MINUTE HOUR DAY MONTH WEEKDAY [ZONE], got {seen!r}")
    count, cron, zone = words[0], " ".join(words[2:7]), words[7] if len(words) == 8 else _UTC
    if not _is_number(count) or int(count) > COUNT_LIMIT:
        raise ValueError(f"entry {number}: count: must be 0 to {COUNT_LIMIT}, got {count!r}")
    try:
        _sets(cron)
    except ValueError as error:
        raise ValueError(f"entry {number}: {error}") from None
    if not is_zone(zone):
        raise ValueError(f"entry {number}: zone: must be of the tz database, such as Europe/Berlin, got {zone!r}")
    return ScheduledMinimum(int(count), cron, zone)


@lru_cache(maxsize=1024)
def _sets(cron: str) -> tuple[frozenset[int], ...]:
    """Give the values of each field; ValueError names the field that has none."""
    texts = cron.split(" ")
    found = [_values(*field, text) for field, text in zip(_FIELDS, texts, strict=True)]
    # Sunday is 0 and 7.
    found[4] = frozenset(day % 7 for day in found[4])
    return tuple(found)


def _values(name: str, least: int, most: int, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = span.partition("-")
        if span == "*":
            low, dash, high = str(least), "-", str(most)
        ends = (low, high) if dash else (low, low)
        if not all(_is_number(each) for each in (*ends, *([step] if slash else []))):
            raise ValueError(f"{name}: must be *, numbers, ranges, lists or steps, got {text!r}")
        first, last, every = int(ends[0]), int(ends[1]), int(step or "1")
        if not least <= first <= last <= most or every < 1:
            raise ValueError(f"{name}: must be {least} to {most}, got {text!r}")
        # As in cron, `5/10` is from 5 on.
        found |= set(range(first, (most if slash and not dash else last) + 1, every))
    return frozenset(found)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _last_due(entry: ScheduledMinimum, unix_s: int) -> int | None:
    """Find the last minute up to this one in which an entry came due, stepping back by what cannot fit."""
    minutes, hours, _, _, _ = _sets(entry.cron)
    earliest = unix_s - _LOOK_BACK_DAYS * 86_400
    while unix_s >= earliest:
        local = local_minute(unix_s, entry.zone)
        if not _is_day(entry.cron, local):
            unix_s -= (local.hour * 60 + local.minute + 1) * _MINUTE_S
        elif local.hour not in hours:
            unix_s -= (local.minute + 1) * _MINUTE_S
        elif local.minute not in minutes:
            unix_s -= _MINUTE_S
        else:
            return unix_s
    return None


def _is_day(cron: str, local: LocalMinute) -> bool:
    _, _, days, months, weekdays = _sets(cron)
    if local.month not in months:
        return False
    _, _, day, _, weekday = cron.split(" ")
    if day.startswith("*") or weekday.startswith("*"):
        return local.day in days and local.weekday in weekdays
    return local.day in days or local.weekday in weekdays
