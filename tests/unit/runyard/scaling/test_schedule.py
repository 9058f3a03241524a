"""Schedule: cron as everybody writes it, in its zone, and what comes due last counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.contracts import ScheduledMinimum
from runyard.scaling.schedule import Stretch, highest, minimum_at, minimums, parse_schedule, stretch_at

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
        # The last one counts for as long as there is no other.
        ("5 at 0 0 29 2 *", "2026-12-31T23:59", True),
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


# Europe/Berlin: on 29 March 2026 02:00 is 03:00 at 01:00 UTC; on 25 October 03:00 is 02:00 once more at 01:00 UTC.
@pytest.mark.parametrize(
    ("text", "moments"),
    [
        # What is skipped comes due at the change, and counts before what comes due then anyway.
        ("4 at 30 2 * * *; 0 at 0 1 * * *", {"2026-03-29T00:59": 0, "2026-03-29T01:00": 4}),
        ("4 at 30 2 * * *; 1 at 0 3 * * *", {"2026-03-29T00:59": 1, "2026-03-29T01:00": 1}),
        ("1 at 0 3 * * *; 4 at 30 2 * * *", {"2026-03-29T01:00": 1}),
        # Of two that are skipped, the later one of the day, wherever it stands.
        ("4 at 45 2 * * *; 1 at 15 2 * * *; 0 at 0 1 * * *", {"2026-03-29T00:59": 0, "2026-03-29T01:00": 4}),
        # What comes twice comes due once: at 02:45 there are four, at the second 02:15 still.
        (
            "1 at 15 2 * * *; 4 at 45 2 * * *; 0 at 0 4 * * *",
            {"2026-10-25T00:15": 1, "2026-10-25T00:45": 4, "2026-10-25T01:15": 4, "2026-10-25T03:00": 0},
        ),
        # Where minute or hour is any, the clock counts: never at what it skips, twice at what it shows twice.
        (
            "4 at 10 * * * *; 1 at 20 * * * *",
            {"2026-03-29T00:15": 4, "2026-03-29T00:59": 1, "2026-03-29T01:09": 1, "2026-03-29T01:10": 4},
        ),
        (
            "4 at */30 2 * * *; 1 at 45 2 * * *; 0 at 0 1 * * *",
            {"2026-10-25T00:44": 4, "2026-10-25T00:45": 1, "2026-10-25T01:00": 4, "2026-10-25T01:45": 4},
        ),
        ("4 at * 2 * * *; 0 at 0 0 * * *", {"2026-03-29T00:30": 0, "2026-03-29T01:30": 0, "2026-03-30T00:00": 4}),
    ],
)
def test_entry_comes_due_where_clocks_change_as_a_job_of_cron_does(text: str, moments: dict[str, int]) -> None:
    schedule = parse_schedule(";".join(f"{entry} Europe/Berlin" for entry in text.split(";")))
    assert {each: minimum_at(schedule, at(each)) for each in moments} == moments


def test_clock_that_is_put_back_over_midnight_shows_the_day_before_once_more() -> None:
    # America/St_Johns, 2 November 2008: 00:01 is 23:01 of the day before once more, at 02:31 UTC.
    schedule = parse_schedule("4 at * 23 * * * America/St_Johns; 1 at 0 0 * * * America/St_Johns")
    moments = ("2008-11-02T02:29", "2008-11-02T02:30", "2008-11-02T02:31", "2008-11-02T03:30")
    assert [minimum_at(schedule, at(each)) for each in moments] == [4, 1, 4, 4]


def test_stretch_says_since_when_it_holds_and_what_comes_next() -> None:
    schedule = parse_schedule(OFFICE)
    friday = stretch_at(schedule, at("2026-11-27T12:00"))
    assert friday == Stretch(3, int(at("2026-11-27T07:00")), int(at("2026-11-27T17:30")), 0)
    weekend = stretch_at(schedule, at("2026-11-28T12:00"))
    assert weekend == Stretch(0, int(at("2026-11-27T17:30")), int(at("2026-11-30T07:00")), 3)
    assert [friday.has(at(f"2026-11-27T{each}")) for each in ("06:59", "07:00", "17:29", "17:30")] == [
        False, True, True, False,
    ]  # fmt: skip
    never = parse_schedule("5 at 0 0 30 2 *")
    assert stretch_at(never, at("2026-11-27T12:00")) == Stretch()


def test_minimums_are_what_each_moment_has() -> None:
    schedule = parse_schedule(OFFICE)
    since, until = int(at("2026-11-27T12:00")), int(at("2026-12-01T00:00"))
    found = list(minimums(schedule, since, until))
    assert found == [(since, 3), (int(at("2026-11-27T17:30")), 0), (int(at("2026-11-30T07:00")), 3),
                     (int(at("2026-11-30T17:30")), 0)]  # fmt: skip
    assert list(minimums((), since, until)) == [(since, 0)]
    # What comes due and changes nothing is no change.
    assert list(minimums(parse_schedule("1 at 0 * * * *"), since, until)) == [(since, 1)]


def test_highest_is_the_most_that_is_ever_asked_for() -> None:
    assert (highest(parse_schedule(OFFICE)), highest(())) == (3, 0)


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


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.sampled_from(
        ["3 at 30 2 * * *", "3 at */7 1-3 * * *", "3 at 5 * * * *", "3 at 0,45 0,2 28-31 * 0", "3 at 59 23 1 * *"]
    ),
    st.sampled_from(["0 at 0 4 * * *", "0 at 20 2 * * *", "0 at */45 * * * *"]),
    st.sampled_from(
        [datetime(2026, 3, 28, 12), datetime(2026, 10, 24, 12), datetime(2008, 11, 1, 12), datetime(2026, 10, 3, 12)]
    ),
)
def test_minimums_agree_with_looks_at_single_minutes(zone: str, first: str, second: str, begin: datetime) -> None:
    schedule = parse_schedule(f"{first} {zone}; {second} {zone}")
    since = int(begin.replace(tzinfo=UTC).timestamp())
    found = dict(minimums(schedule, since, since + 2 * 86_400))
    # Every tenth minute, and those about each change.
    looked = {*range(since, since + 2 * 86_400, 600), *(at_s + off for at_s in list(found)[1:] for off in (-60, 0, 60))}
    for moment in sorted(looked):
        assert minimum_at(schedule, moment) == found[max(each for each in found if each <= moment)]
