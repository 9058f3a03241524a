"""Reports: what is told of days and of now, from one moment of the ledger."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from runyard.errors import UsageError
from runyard.pricing.prices import PriceBook
from services.billing.invoicing import Invoicing, Issuer
from services.billing.reports import Range, cost_rows, gauges, measures, usage_rows
from tests.unit.services.billing.world import BUSY, HOURLY, at, minutes, set_prices, take, window

OCTOBER = Range(date(2026, 10, 1), date(2026, 11, 1))
NOW = datetime(2026, 10, 3, 12, 30, tzinfo=UTC)


def invoicing(engine: Engine) -> Invoicing:
    return Invoicing(engine, Issuer("acme"), lambda: NOW)


def test_rows_are_in_the_order_of_tenant_service_and_day(engine: Engine) -> None:
    set_prices(engine)
    take(engine, [window(at(2), container="c1"), window(at(1), container="c1")])
    take(engine, [window(at(1), container="c2", service="api"), window(at(1), container="c3", tenant="acme")])
    for rows in (usage_rows(engine, OCTOBER), cost_rows(engine, OCTOBER)):
        assert [(each.tenant, each.service, each.day) for each in rows] == [
            ("acme", "web", "2026-10-01"),
            ("shop", "api", "2026-10-01"),
            ("shop", "web", "2026-10-01"),
            ("shop", "web", "2026-10-02"),
        ]


def test_range_is_of_the_days_tenant_and_service_that_are_named(engine: Engine) -> None:
    set_prices(engine)
    take(engine, [window(at(1)), window(at(3)), window(at(1), container="c2", service="api")])
    days = dataclasses.replace(OCTOBER, start=date(2026, 10, 2))
    assert [each.day for each in usage_rows(engine, days)] == ["2026-10-03"]
    one = dataclasses.replace(OCTOBER, tenant="shop", service="api")
    assert [each.service for each in usage_rows(engine, one)] == ["api"]
    assert usage_rows(engine, dataclasses.replace(OCTOBER, tenant="nobody")) == []


def test_cost_of_days_is_at_the_prices_of_each(engine: Engine) -> None:
    later = dataclasses.replace(HOURLY, start="2026-10-02", million_requests=Decimal(1000))
    set_prices(engine, PriceBook("two", (dataclasses.replace(HOURLY, end="2026-10-02"), later)))
    take(engine, [window(at(1, 23, 59)), window(at(2))])
    first, second = cost_rows(engine, OCTOBER)
    # A hundred requests more at a thousand dollars a million.
    assert second.amount - first.amount == Decimal("0.099900")


def test_day_without_prices_has_usage_and_no_cost(engine: Engine) -> None:
    set_prices(engine, PriceBook("late", (dataclasses.replace(HOURLY, start="2026-10-02"),)))
    take(engine, [window(at(1))])
    assert len(usage_rows(engine, OCTOBER)) == 1
    with pytest.raises(UsageError, match=r"^price book late: must have prices for 2026-10-01, got none$"):
        cost_rows(engine, OCTOBER)


@pytest.mark.parametrize(
    ("start", "end"), [((2026, 10, 1), (2026, 10, 1)), ((2026, 10, 2), (2026, 10, 1)), ((2025, 1, 1), (2026, 1, 4))]
)
def test_range_that_is_empty_or_too_long_is_refused(
    engine: Engine, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    with pytest.raises(UsageError, match=r"^until: must be 1 to 367 days after from"):
        usage_rows(engine, Range(date(*start), date(*end)))


def test_gauges_tell_the_month_the_last_hour_and_what_was_estimated(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60, at(1)))
    recent = dataclasses.replace(BUSY, estimated=True)
    take(engine, [window(at(3, 12, 20), recent), window(at(3, 11, 20), container="c2", service="api")])
    found = gauges(engine, invoicing(engine), NOW)
    assert (found.currency, found.estimated_windows, found.last_window) == (
        "USD",
        1,
        datetime(2026, 10, 3, 12, 21, tzinfo=UTC),
    )
    assert [(each.service, str(each.month), str(each.hour)) for each in found.services] == [
        ("api", "0.01", "0.000000"),
        ("web", "0.68", "0.011088"),
    ]


def test_gauges_of_another_month_begin_anew(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60, at(1)))
    assert gauges(engine, invoicing(engine), datetime(2026, 11, 1, 2, tzinfo=UTC)).services == ()


def test_ledger_without_usage_has_nothing_to_show(engine: Engine) -> None:
    found = gauges(engine, invoicing(engine), NOW)
    assert (found.services, found.last_window, found.currency) == ((), None, "")


def test_services_are_measured_over_four_weeks_by_instances_and_their_busy_minutes(engine: Engine) -> None:
    set_prices(engine)
    quiet = dataclasses.replace(BUSY, active_ms=0, requests=0, cpu_us=59_000_000)
    busy = [window(at(1, 0, each), dataclasses.replace(BUSY, cpu_us=6_000_000 * (each + 1))) for each in range(10)]
    take(engine, [*busy, *(window(at(1, 1, each), quiet) for each in range(5))])
    # What is older, and a container beside the first one in the same instance.
    take(engine, [window(at(1, month=9), container="old", started_ms=at(1, month=9))])
    take(engine, [window(at(1, 0, 0), dataclasses.replace(BUSY, requests=0, egress_bytes=0), container="beside")])
    (found,) = measures(engine, NOW).measures
    assert (found.tenant, found.service, found.seconds) == ("shop", "web", int(NOW.timestamp()) - at(1) // 1000)
    assert (found.requests, found.active_ms, found.awake_ms) == (1000, 300_000, 15 * 60_000)
    # The tenth of ten minutes: 60 s of CPU in a minute is a vCPU; minutes without requests do not count.
    assert found.cpu_p95_millis == 1000
    assert (found.memory_peak_bytes, found.egress_bytes) == (2 * BUSY.memory_peak_bytes, 15 * 1024**2)
