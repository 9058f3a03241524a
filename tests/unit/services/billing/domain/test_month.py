"""Months of UTC, whatever the wall's clock does in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from runyard.errors import UsageError
from services.billing.domain.month import Month, midnight, month_of, parse_month


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2026-01", "2026-01-01", "2026-02-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2028-02", "2028-02-01", "2028-03-01"),
    ],
)
def test_month_begins_and_ends_with_the_calendar(text: str, first: str, end: str) -> None:
    month = parse_month(text)
    assert (str(month), str(month.starts), str(month.ends)) == (text, first, end)
    assert month_of(month.ends - timedelta(days=1)) == month
    assert month_of(month.ends) == month.next


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-1", "26-01", "1999-12", "9999-01", "2026-01-01", " 2026-01"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_month(text)
    assert str(raised.value) == f"month: must be a month such as 2026-11, got {text!r}"


def test_month_is_over_at_midnight_of_utc() -> None:
    end = datetime(2026, 11, 1, tzinfo=UTC)
    assert Month(2026, 10).is_over(end)
    assert not Month(2026, 10).is_over(end - timedelta(microseconds=1))
    # It is November in Berlin already.
    assert not Month(2026, 10).is_over(datetime(2026, 11, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))))


def test_month_in_which_clocks_change_has_all_its_hours() -> None:
    starts, ends = Month(2026, 10).times
    assert ends - starts == timedelta(days=31)
    assert midnight(date(2026, 3, 29)) + timedelta(days=1) == midnight(date(2026, 3, 30))
