"""Zones: local time by the names of the tz database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runyard.zones import LocalMinute, is_zone, local_minute

# A Sunday.
MOMENT = datetime(2026, 11, 29, 23, 30, 59, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("UTC", LocalMinute(30, 23, 29, 11, 0)),
        ("Europe/Berlin", LocalMinute(30, 0, 30, 11, 1)),
        ("Asia/Kolkata", LocalMinute(0, 5, 30, 11, 1)),
        ("America/New_York", LocalMinute(30, 18, 29, 11, 0)),
    ],
)
def test_moment_is_shown_as_on_the_wall(zone: str, local: LocalMinute) -> None:
    assert local_minute(MOMENT, zone) == local


@pytest.mark.parametrize("name", ["", "Mars/Phobos", "../etc/passwd", "/etc/passwd", "Europe", "a\0b"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert not is_zone(name)
    with pytest.raises(ValueError, match="must be a zone of the tz database"):
        local_minute(MOMENT, name)
