"""Schedule of a service: fewest instances from certain moments on, by cron in UTC or a named zone; pure.

An entry is `COUNT at MINUTE HOUR DAY MONTH WEEKDAY [ZONE]`, and holds until another one comes due. Fields are cron's:
`*`, numbers, ranges, lists and steps; where day and weekday are both said, either will do.

Where a clock is put forward or back, an entry comes due as a job of Debian's cron does (cron(8), "Notes"): of a time
that is skipped at the moment of the skip, and of one that comes twice the first time alone. Where minute or hour begin
with `*`, an entry goes by what the clock shows: never at what is skipped, and twice at what comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from runyard.contracts import ScheduledMinimum
from runyard.zones import Day, is_zone, local_day, shown_at, skipped_at, steady_offset_s

# More than anybody keeps in mind, and few enough to be looked at every minute.
ENTRIES_LIMIT = 32
COUNT_LIMIT = 1000
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
# The longest time between two days of one date: 29 February, around a century that is no leap year.
_FARTHEST_DAYS = 8 * 366
_MINUTE_S = 60
_UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time in which one entry holds, in seconds since 1970, and the fewest instances of it.

    `since_unix_s` is None where none has come due yet; at `until_unix_s`, which is None for never, `following` hold.
    """

    instances: int = 0
    since_unix_s: int | None = None
    until_unix_s: int | None = None
    following: int = 0

    def has(self, unix_s: float) -> bool:
        """Tell whether a moment is within it."""
        begun = self.since_unix_s is None or self.since_unix_s <= unix_s
        return begun and (self.until_unix_s is None or unix_s < self.until_unix_s)


class _Due(NamedTuple):
    """A moment at which an entry comes due, in seconds since 1970; of equal moments the larger one counts.

    `early_s` is 0, or below it how long before the end of what the clock skips it was meant; `number` is its place in
    the list.
    """

    unix_s: int
    early_s: int
    number: int


def parse_schedule(text: str) -> tuple[ScheduledMinimum, ...]:
    """Parse a schedule, its entries parted by semicolons; ValueError says which entry, which rule, what was seen."""
    entries = [entry.split() for entry in text.split(";") if entry.strip()]
    if not 1 <= len(entries) <= ENTRIES_LIMIT:
        raise ValueError(f"must have 1 to {ENTRIES_LIMIT} entries, got {len(entries)}")
    return tuple(_entry(number, words) for number, words in enumerate(entries, 1))


def stretch_at(schedule: Sequence[ScheduledMinimum], unix_s: float) -> Stretch:
    """Give the stretch of a moment in seconds since 1970; ValueError if the machine lacks a zone.

    Of two entries that come due in one minute the later in the list counts.
    """
    minute = int(unix_s) // _MINUTE_S * _MINUTE_S
    past = [due for number, each in enumerate(schedule) if (due := _last_due(each, number, minute))]
    coming = [due for number, each in enumerate(schedule) if (due := _next_due(each, number, minute))]
    last, until = max(past, default=None), min((each.unix_s for each in coming), default=None)
    following = max((each for each in coming if each.unix_s == until), default=last)
    return Stretch(
        instances=schedule[last.number].instances if last else 0,
        since_unix_s=last.unix_s if last else None,
        until_unix_s=until,
        following=schedule[following.number].instances if following else 0,
    )


def minimum_at(schedule: Sequence[ScheduledMinimum], unix_s: float) -> int:
    """Give the fewest instances at a moment in seconds since 1970; ValueError if the machine lacks a zone."""
    return stretch_at(schedule, unix_s).instances if schedule else 0


def minimums(schedule: Sequence[ScheduledMinimum], since_unix_s: int, until_unix_s: int) -> Iterator[tuple[int, int]]:
    """Give the fewest instances from a moment on, and each change of them before another; ValueError as above.

    A pair is a moment in seconds since 1970 and the count from then on.
    """
    count = minimum_at(schedule, since_unix_s)
    yield since_unix_s, count
    dues = sorted(
        due
        for number, each in enumerate(schedule)
        for day in _days(each.zone, since_unix_s, until_unix_s)
        for due in _dues_on(each, number, day)
        if since_unix_s < due.unix_s < until_unix_s
    )
    # Of equal moments the last one stays.
    for moment, due in {each.unix_s: each for each in dues}.items():
        if schedule[due.number].instances != count:
            count = schedule[due.number].instances
            yield moment, count


def highest(schedule: Sequence[ScheduledMinimum]) -> int:
    """Give the most that a schedule ever asks for."""
    return max((each.instances for each in schedule), default=0)


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


def _last_due(entry: ScheduledMinimum, number: int, unix_s: int) -> _Due | None:
    """Find when an entry came due last up to this minute."""
    today = local_day(unix_s, entry.zone)
    # A clock that was put back over midnight shows the day before once more.
    for back in range(-1, _FARTHEST_DAYS):
        day = today.later(-back)
        if _is_day(entry.cron, day):
            near = (day.later(-1), day)
            found = [due for each in near for due in _dues_on(entry, number, each) if due.unix_s <= unix_s]
            if found:
                return max(found)
    return None


def _next_due(entry: ScheduledMinimum, number: int, unix_s: int) -> _Due | None:
    """Find when an entry comes due next after this minute."""
    today = local_day(unix_s, entry.zone)
    for on in range(-1, _FARTHEST_DAYS):
        day = today.later(on)
        if _is_day(entry.cron, day):
            near = (day, day.later(1))
            found = [due for each in near for due in _dues_on(entry, number, each) if due.unix_s > unix_s]
            if found:
                return min(found)
    return None


def _days(zone: str, since_unix_s: int, until_unix_s: int) -> Iterator[Day]:
    first, last = (local_day(each, zone).number for each in (since_unix_s, until_unix_s))
    return map(Day, range(first - 1, last + 2))


# Those of a day are asked for at every change of another entry; of an entry for every minute there are 1,440.
@lru_cache(maxsize=256)
def _dues_on(entry: ScheduledMinimum, number: int, day: Day) -> tuple[_Due, ...]:
    """Give all moments at which an entry comes due for a day of its zone, in their order."""
    if not _is_day(entry.cron, day):
        return ()
    minutes, hours, _, _, _ = _sets(entry.cron)
    shown = [60 * hour + minute for hour in sorted(hours) for minute in sorted(minutes)]
    offset_s = steady_offset_s(day, entry.zone)
    if offset_s is not None:
        return tuple(_Due(day.utc_s + _MINUTE_S * each - offset_s, 0, number) for each in shown)
    return tuple(sorted(due for each in shown for due in _dues_at(entry, number, day, each)))


def _dues_at(entry: ScheduledMinimum, number: int, day: Day, shown: int) -> list[_Due]:
    """Give the moments at which an entry comes due for a minute of a day on which its clock is changed."""
    minute, hour, _, _, _ = entry.cron.split(" ")
    by_clock = minute.startswith("*") or hour.startswith("*")
    moments = shown_at(day, shown, entry.zone)
    if moments:
        return [_Due(each, 0, number) for each in (moments if by_clock else moments[:1])]
    if by_clock:
        return []
    at, left_s = skipped_at(day, shown, entry.zone)
    return [_Due(at, -left_s, number)]


def _is_day(cron: str, on: Day) -> bool:
    _, _, days, months, weekdays = _sets(cron)
    day, month, weekday = on.fields
    if month not in months:
        return False
    _, _, told_day, _, told_weekday = cron.split(" ")
    fits = day in days, weekday in weekdays
    return all(fits) if told_day.startswith("*") or told_weekday.startswith("*") else any(fits)
