"""Zones: days and what clocks show on them, by the names of the tz database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runyard.zones import Day, is_zone, local_day, parse_day, shown_at, skipped_at, steady_offset_s


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def shown(text: str) -> tuple[Day, int]:
    """Give the day and the minute of it that a clock shows."""
    day, _, clock = text.partition("T")
    hour, minute = map(int, clock.split(":"))
    return parse_day(day), 60 * hour + minute


def test_day_has_its_fields_and_its_place() -> None:
    sunday = parse_day("2026-11-29")
    assert (sunday.fields, sunday.utc_s) == ((29, 11, 0), at("2026-11-29T00:00"))
    assert (sunday.later(2).fields, sunday.later(-29)) == ((1, 12, 2), parse_day("2026-10-31"))
    assert sunday.at(61) == datetime(2026, 11, 29, 1, 1)
    with pytest.raises(ValueError, match="Invalid isoformat"):
        parse_day("tomorrow")


@pytest.mark.parametrize(
    ("zone", "clock"),
    [
        ("UTC", "2026-11-29T23:30"),
        ("Europe/Berlin", "2026-11-30T00:30"),
        ("Asia/Kolkata", "2026-11-30T05:00"),
        ("America/New_York", "2026-11-29T18:30"),
    ],
)
def test_moment_is_shown_as_on_the_wall(zone: str, clock: str) -> None:
    moment = at("2026-11-29T23:30")
    assert local_day(moment + 59, zone) == shown(clock)[0]
    assert shown_at(*shown(clock), zone) == (moment,)


@pytest.mark.parametrize(
    ("zone", "day", "offset_s"),
    [
        ("UTC", "2026-07-01", 0),
        ("Europe/Berlin", "2026-07-01", 7200),
        ("Europe/Berlin", "2026-12-01", 3600),
        ("America/New_York", "2026-12-01", -18_000),
        # The day of a change, and the one before, whose end may come once more.
        ("Europe/Berlin", "2026-10-25", None),
        ("Europe/Berlin", "2026-10-24", None),
        ("Europe/Berlin", "2026-10-26", 3600),
    ],
)
def test_offset_is_steady_where_no_clock_is_changed(zone: str, day: str, offset_s: int | None) -> None:
    assert steady_offset_s(parse_day(day), zone) == offset_s


def test_clock_shows_twice_what_it_is_put_back_over() -> None:
    twice = shown_at(*shown("2026-10-25T02:30"), "Europe/Berlin")
    assert twice == (at("2026-10-25T00:30"), at("2026-10-25T01:30"))
    assert shown_at(*shown("2026-10-25T03:00"), "Europe/Berlin") == (at("2026-10-25T02:00"),)


@pytest.mark.parametrize(
    ("zone", "clock", "end", "left_s"),
    [
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00", 3600),
        ("Europe/Berlin", "2026-03-29T02:59", "2026-03-29T01:00", 60),
        # Half an hour.
        ("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:30", 20 * 60),
        # Over the date line: a whole day.
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00", 12 * 3600),
    ],
)
def test_clock_never_shows_what_it_skips(zone: str, clock: str, end: str, left_s: int) -> None:
    assert shown_at(*shown(clock), zone) == ()
    assert skipped_at(*shown(clock), zone) == (at(end), left_s)


@pytest.mark.parametrize("name", ["", "Mars/Phobos", "../etc/passwd", "/etc/passwd", "Europe", "a\0b"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert not is_zone(name)
    for ask in (lambda: local_day(0, name), lambda: steady_offset_s(Day(0), name), lambda: shown_at(Day(0), 0, name)):
        with pytest.raises(ValueError, match="must be a zone of the tz database"):
            ask()
