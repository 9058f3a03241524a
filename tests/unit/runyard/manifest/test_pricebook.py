"""PriceBook as typed data: exact amounts, dates in order, and the book that ships."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runyard.manifest import load
from runyard.manifest.pricebook import DEFAULT_BOOK, default_book
from runyard.pricing.prices import DEFAULT_CURRENCY, FreeTier, PriceBook, PricePeriod, Rates


def book(directory: Path, spec: str) -> PriceBook:
    file = directory / "prices.yaml"
    file.write_text(f"apiVersion: runyard.dev/v1\nkind: PriceBook\nspec: {spec}\n")
    found = load([file]).manifests.price_book
    assert found is not None
    return found


def test_default_book_has_cloud_runs_list_prices() -> None:
    assert default_book().period("2026-11-23") == PricePeriod(
        start="2025-01-01",
        active=Rates(Decimal("0.000024"), Decimal("0.0000025")),
        idle=Rates(Decimal("0.0000025"), Decimal("0.0000025")),
        instance=Rates(Decimal("0.000018"), Decimal("0.000002")),
        million_requests=Decimal("0.40"),
        egress_gib=Decimal("0.12"),
        free_tier=FreeTier(
            Decimal(180_000), Decimal(360_000), Decimal(240_000), Decimal(450_000), Decimal(2_000_000), Decimal(1)
        ),
    )
    assert default_book().minimum_charge_ms == 100
    assert default_book().currency == DEFAULT_CURRENCY


def test_default_book_is_a_valid_manifest_without_a_warning() -> None:
    loaded = load([DEFAULT_BOOK])
    assert loaded.warnings == ()
    assert loaded.manifests.price_book is not None
    assert loaded.manifests.price_book.periods == default_book().periods


def test_price_of_a_number_is_the_decimal_that_was_written(tmp_path: Path) -> None:
    (period,) = book(tmp_path, "{periods: [{from: '2026-01-01', egressGib: 0.0000001, millionRequests: 0.1}]}").periods
    # As binary fractions neither would be what stands there.
    assert (period.egress_gib, period.million_requests) == (Decimal("0.0000001"), Decimal("0.1"))


def test_manifests_without_a_book_have_none(tmp_path: Path) -> None:
    file = tmp_path / "tenant.yaml"
    file.write_text("apiVersion: runyard.dev/v1\nkind: Tenant\nmetadata: {name: shop}\n")
    assert load([file]).manifests.price_book is None


def test_periods_are_in_the_order_of_time(tmp_path: Path) -> None:
    periods = (
        "[{from: '2027-01-01'}, {from: '2025-01-01', until: '2026-01-01'}, {from: '2026-01-01', until: '2027-01-01'}]"
    )
    assert [each.start for each in book(tmp_path, f"{{periods: {periods}}}").periods] == [
        "2025-01-01",
        "2026-01-01",
        "2027-01-01",
    ]


@pytest.mark.parametrize(
    ("day", "start"),
    [("2024-12-31", None), ("2025-01-01", "2025-01-01"), ("2025-12-31", "2025-01-01"), ("2026-01-01", "2026-01-01")],
)
def test_period_begins_on_its_first_day_and_ends_before_its_last(tmp_path: Path, day: str, start: str | None) -> None:
    found = book(tmp_path, "{periods: [{from: '2025-01-01', until: '2026-01-01'}, {from: '2026-01-01'}]}").period(day)
    assert (found.start if found else None) == start


def test_discounts_are_percent_by_tenant(tmp_path: Path) -> None:
    spec = "{currency: EUR, periods: [{from: '2026-01-01'}], discounts: [{tenant: shop, percent: 12.5}]}"
    found = book(tmp_path, spec)
    assert found.discounts == {"shop": Decimal("12.5")}
    assert found.currency == "EUR"
