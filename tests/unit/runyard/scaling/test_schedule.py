"""Schedule: cron as everybody writes it, in its zone, and what comes due last counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.contracts import ScheduledMinimum
from runyard.scaling.schedule import minimum_at, parse_schedule

OFFICE = "3 at 0 8 * * 1-5 Europe/Berlin; 0 at 30 18 * * 1-5 Europe/Berlin"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_entries_are_read_with_their_zone() -> None:
    assert parse_schedule("3 at 0  8 * * 1-5 Europe/Berlin ; 1 at */15 0 1,15 * 7;") == (
        ScheduledMinimum(3, "0 8 * * 1-5", "Europe/Berlin"),
        ScheduledMinimum(1, "*/15 0 1,15 * 7", "UTC"),
    )


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        # Berlin is an hour before UTC in winter and two in summer.
        ("2026-11-27T06:59", 0),
        ("2026-11-27T07:00", 3),
        ("2026-11-27T17:29", 3),
        ("2026-11-27T17:30", 0),
        ("2026-07-10T05:59", 0),
        ("2026-07-10T06:00", 3),
        # On Saturday Friday's evening still counts.
        ("2026-11-28T12:00", 0),
        ("2026-11-30T07:00:59", 3),
    ],
)
def test_what_came_due_last_counts_in_its_zone(moment: str, count: int) -> None:
    assert minimum_at(parse_schedule(OFFICE), at(moment)) == count


@pytest.mark.parametrize(
    ("cron", "moment", "due"),
    [
        ("5 at 0 0 1 1 *", "2026-12-31T23:59", True),
        # No 29 February within a year: it has not come due.
        ("5 at 0 0 29 2 *", "2026-12-31T23:59", False),
        ("5 at 0 0 29 2 *", "2028-03-01T00:00", True),
        # Sunday is 0 and 7: 29 November 2026.
        ("5 at 0 12 * * 0; 0 at 1 12 * * *", "2026-11-29T12:00", True),
        ("5 at 0 12 * * 7; 0 at 1 12 * * *", "2026-11-29T12:00", True),
        ("5 at 0 12 * * 6; 0 at 1 12 * * *", "2026-11-29T12:00", False),
        # Where both are said, either will do: the 27th is a Friday.
        ("5 at 0 12 1 * 5; 0 at 1 12 * * *", "2026-11-27T12:00", True),
        ("5 at 0 12 27 * 1; 0 at 1 12 * * *", "2026-11-27T12:00", True),
        ("5 at 0 12 * * 1; 0 at 1 12 * * *", "2026-11-27T12:00", False),
        ("5 at 10/20 12 * * *; 0 at 11 12 * * *", "2026-11-27T12:30", True),
        ("5 at 10/20 12 * * *; 0 at 31 12 * * *", "2026-11-27T12:49", False),
        ("5 at 10-20/5 12 * * *; 0 at 16 12 * * *", "2026-11-27T12:20", True),
        # Of one minute the later in the list counts.
        ("0 at 0 12 * * *; 5 at 0 12 * * *", "2026-11-27T12:00", True),
        ("5 at 0 12 * * *; 0 at 0 12 * * *", "2026-11-27T12:00", False),
    ],
)
def test_fields_are_cron_s(cron: str, moment: str, due: bool) -> None:
    assert minimum_at(parse_schedule(cron), at(moment)) == (5 if due else 0)


def test_hour_that_comes_twice_comes_due_twice_and_one_that_is_skipped_does_not() -> None:
    night = parse_schedule("4 at 30 2 * * * Europe/Berlin; 0 at 0 3 * * * Europe/Berlin")
    # 25 October 2026: 02:30 is at 00:30 and at 01:30 UTC.
    assert [minimum_at(night, at(f"2026-10-25T{hour}")) for hour in ("00:30", "01:30", "02:00")] == [4, 4, 0]
    # 29 March 2026: from 02:00 the clock goes to 03:00.
    assert [minimum_at(night, at(f"2026-03-29T{hour}")) for hour in ("00:59", "01:00", "01:30")] == [0, 0, 0]


def test_without_entries_there_is_no_minimum() -> None:
    assert minimum_at((), at("2026-11-27T12:00")) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have 1 to 32 entries, got 0"),
        ("1 at 0 0 * * *;" * 33, "must have 1 to 32 entries, got 33"),
        ("3 0 8 * * 1", "entry 1: must be COUNT at MINUTE HOUR DAY MONTH WEEKDAY [ZONE], got '3 0 8 * * 1'"),
        ("1 at 0 0 * * *; at 0 0 * * * UTC 3", "entry 2: must be COUNT at MINUTE HOUR DAY MONTH WEEKDAY [ZONE], got "
         "'at 0 0 * * * UTC 3'"),
        ("-1 at 0 0 * * *", "entry 1: count: must be 0 to 1000, got '-1'"),
        ("1001 at 0 0 * * *", "entry 1: count: must be 0 to 1000, got '1001'"),
        ("1 at 60 0 * * *", "entry 1: minute: must be 0 to 59, got '60'"),
        ("1 at 0 24 * * *", "entry 1: hour: must be 0 to 23, got '24'"),
        ("1 at 0 0 0 * *", "entry 1: day: must be 1 to 31, got '0'"),
        ("1 at 0 0 * 13 *", "entry 1: month: must be 1 to 12, got '13'"),
        ("1 at 0 0 * * 8", "entry 1: weekday: must be 0 to 7, got '8'"),
        ("1 at 9-5 0 * * *", "entry 1: minute: must be 0 to 59, got '9-5'"),
        ("1 at */0 0 * * *", "entry 1: minute: must be 0 to 59, got '*/0'"),
        ("1 at 0 0 * * mon", "entry 1: weekday: must be *, numbers, ranges, lists or steps, got 'mon'"),
        ("1 at 0, 0 * * *", "entry 1: minute: must be *, numbers, ranges, lists or steps, got '0,'"),
        ("1 at 0 0 * * * Mars/Phobos", "entry 1: zone: must be of the tz database, such as Europe/Berlin, got "
         "'Mars/Phobos'"),
        ("1 at 0 0 * * * ../../etc/passwd", "entry 1: zone: must be of the tz database, such as Europe/Berlin, got "
         "'../../etc/passwd'"),
    ],
)  # fmt: skip
def test_entry_that_is_none_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        parse_schedule(text)
    assert str(caught.value) == message


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 59), st.integers(0, 23), st.integers(0, 6), st.integers(0, 20_000))
def test_last_due_is_what_a_walk_by_minutes_finds(minute: int, hour: int, weekday: int, minutes_on: int) -> None:
    now = datetime(2026, 3, 20, tzinfo=UTC) + timedelta(minutes=minutes_on)
    schedule = parse_schedule(f"7 at {minute} {hour} * * {weekday}; 0 at 0 0 * * *")
    walked = now
    while True:
        if (walked.minute, walked.hour, walked.isoweekday() % 7) == (minute, hour, weekday):
            # Midnight's own entry comes later in the list.
            found = 0 if (minute, hour) == (0, 0) else 7
            break
        if (walked.minute, walked.hour) == (0, 0):
            found = 0
            break
        walked -= timedelta(minutes=1)
    assert minimum_at(schedule, now.timestamp()) == found
