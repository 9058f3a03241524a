"""Charges: lines of a month, in their order, and by how much they differ from what was charged."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from runyard.contracts import InvoiceLine
from runyard.pricing.metering import Metered
from services.billing.domain.charge import Key, Term, charge, differences, list_price, price_day, to_places
from tests.unit.services.billing.world import HOURLY

FIRST = Term(7, date(2026, 10, 1), date(2026, 10, 16), HOURLY)
SECOND = Term(8, date(2026, 10, 16), date(2026, 11, 1), dataclasses.replace(HOURLY, million_requests=Decimal(2)))
MILLION = Metered(requests=10**6)


def test_lines_are_in_the_order_of_services_time_and_items() -> None:
    used = {
        ("web", 8): MILLION,
        ("web", 7): MILLION + Metered(egress_bytes=1024**3),
        ("api", 7): Metered(active_cpu=10**6 * 10_000, active_memory=1024**3 * 10**7),
    }
    lines = charge([SECOND, FIRST], used, Decimal(0))
    assert [(key.service, key.prices_id, key.item, line.position, str(line.amount)) for key, line in lines.items()] == [
        ("api", 7, "cpu", 1, "3.00"),
        ("api", 7, "memory", 2, "0.30"),
        ("web", 7, "requests", 3, "1.00"),
        ("web", 7, "egress", 4, "0.10"),
        ("web", 8, "requests", 5, "2.00"),
    ]
    assert {(line.start, line.end) for line in lines.values()} == {
        ("2026-10-01", "2026-10-16"),
        ("2026-10-16", "2026-11-01"),
    }


def test_line_of_which_all_is_free_stands_with_nothing_due() -> None:
    free = dataclasses.replace(HOURLY.free_tier, requests=Decimal(10**7))
    term = dataclasses.replace(FIRST, period=dataclasses.replace(HOURLY, free_tier=free))
    (line,) = charge([term], {("web", 7): MILLION}, Decimal(0)).values()
    assert (str(line.amount), [(str(each.used), str(each.due)) for each in line.quantities]) == (
        "0.00",
        [("1.000000", "0.000000")],
    )


def test_discount_of_everything_leaves_nothing_to_pay() -> None:
    (line,) = charge([FIRST], {("web", 7): MILLION}, Decimal(100)).values()
    assert line.amount == 0


def test_nothing_used_is_no_line() -> None:
    assert charge([FIRST], {("web", 7): Metered()}, Decimal(0)) == {}
    assert charge([FIRST], {}, Decimal(0)) == {}


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Fraction(1, 3), "0.333333"),
        (Fraction(2, 3), "0.666667"),
        (Fraction(1, 2_000_000), "0.000000"),
        (Fraction(3, 2_000_000), "0.000002"),
        (Fraction(-1, 3), "-0.333333"),
        (Fraction(10**20), "100000000000000000000.000000"),
    ],
)
def test_quantity_is_shown_to_six_places_half_to_even(amount: Fraction, shown: str) -> None:
    assert str(to_places(amount)) == shown


def test_day_is_priced_at_list_prices_of_all_items() -> None:
    used = Metered(active_cpu=10**9, idle_memory=1024**3 * 10**6, requests=10**6, egress_bytes=1024**3)
    assert str(price_day("web", date(2026, 10, 2), used, HOURLY).amount) == "1.403000"
    assert list_price(Metered().amounts(), HOURLY) == 0


def line(amount: str) -> InvoiceLine:
    return InvoiceLine(1, "web", "cpu", "2026-10-01", "2026-11-01", Decimal(amount))


def test_differences_are_of_lines_that_are_more_less_new_or_gone() -> None:
    keys = [Key("web", number, "cpu") for number in range(5)]
    before = {keys[0]: Decimal("1.00"), keys[1]: Decimal("1.00"), keys[2]: Decimal("1.00"), keys[3]: Decimal("0.50")}
    now = {keys[0]: line("1.00"), keys[1]: line("1.25"), keys[2]: line("0.75"), keys[4]: line("2.00")}
    assert differences(before, now) == {
        keys[1]: Decimal("0.25"),
        keys[2]: Decimal("-0.25"),
        keys[3]: Decimal("-0.50"),
        keys[4]: Decimal("2.00"),
    }
