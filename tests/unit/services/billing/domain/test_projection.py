"""Projection: the mean since the first day of use, over what is left of each term."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from runyard.manifest.pricebook import default_book
from runyard.pricing.metering import Metered
from services.billing.domain.charge import Term
from services.billing.domain.projection import project

PERIOD = default_book().periods[0]
NOVEMBER = Term(1, date(2026, 11, 1), date(2026, 12, 1), PERIOD)
# Ten days of November are over.
NOW = datetime(2026, 11, 11, tzinfo=UTC)


def used(day: int, requests: int, service: str = "web") -> dict[tuple[str, date], Metered]:
    return {(service, date(2026, 11, day)): Metered(requests=requests)}


def requests(found: dict[tuple[str, int], Metered]) -> dict[tuple[str, int], int]:
    return {key: each.requests for key, each in found.items()}


def test_services_go_on_as_they_did_on_the_mean() -> None:
    days = {**used(1, 400), **used(10, 600), **used(5, 30, "api")}
    assert requests(project([NOVEMBER], days, NOW)) == {("web", 1): 2000, ("api", 1): 60}


def test_mean_is_since_the_first_day_on_which_the_tenant_used_anything() -> None:
    days = {**used(7, 100), **used(9, 400, "api")}
    # Four of them, and twenty are left.
    assert requests(project([NOVEMBER], days, NOW)) == {("web", 1): 500, ("api", 1): 2000}


@pytest.mark.parametrize(("hours", "expected"), [(23, {}), (24, {("web", 1): 1900})])
def test_first_day_tells_nothing(hours: int, expected: dict[tuple[str, int], int]) -> None:
    now = NOW + timedelta(hours=hours)
    assert requests(project([NOVEMBER], used(11, 100), now)) == expected
    assert project([NOVEMBER], {}, now) == {}


def test_each_term_has_what_is_left_of_it() -> None:
    over, present, next_one = (
        Term(number, date(2026, 11, starts), ends, PERIOD)
        for number, starts, ends in ((1, 1, date(2026, 11, 5)), (2, 5, date(2026, 11, 21)), (3, 21, date(2026, 12, 1)))
    )
    found = requests(project([over, present, next_one], used(1, 1000), NOW))
    assert found == {("web", 2): 1000, ("web", 3): 1000}


def test_clock_of_another_zone_is_the_same_moment() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert project([NOVEMBER], used(1, 1000), elsewhere) == project([NOVEMBER], used(1, 1000), NOW)
