"""Prices: which hold on a day, and that they reach the ledger digit by digit."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.codec import decode, encode
from runyard.errors import ContractError
from runyard.manifest.pricebook import default_book
from runyard.pricing.prices import FreeTier, PriceBook, PricePeriod, Rates
from runyard.pricing.settings import BillingSettings

FIRST = PricePeriod("2026-01-01", "2026-07-01")
SECOND = PricePeriod("2026-07-01")
BOOK = PriceBook("prices", (FIRST, SECOND))
AMOUNTS = st.decimals(Decimal(0), Decimal("999999999999.999999999999"), places=12)
RATES = st.builds(Rates, AMOUNTS, AMOUNTS)
FREE = st.builds(FreeTier, *[AMOUNTS] * 6)
PERIODS = st.builds(
    PricePeriod,
    start=st.just("2026-01-01"),
    end=st.sampled_from(["", "2026-07-01"]),
    active=RATES,
    idle=RATES,
    instance=RATES,
    million_requests=AMOUNTS,
    egress_gib=AMOUNTS,
    storage_gib_month=AMOUNTS,
    free_tier=FREE,
)
TENANTS = st.sampled_from(["shop", "rival"])
BOOKS = st.builds(
    PriceBook,
    name=st.just("any"),
    periods=st.tuples(PERIODS),
    currency=st.sampled_from(["USD", "EUR"]),
    minimum_charge_ms=st.integers(1, 10_000),
    discounts=st.dictionaries(TENANTS, st.decimals(0, 100, places=3)),
)


@pytest.mark.parametrize(
    ("day", "found"),
    [
        ("2025-12-31", None),
        ("2026-01-01", FIRST),
        ("2026-06-30", FIRST),
        ("2026-07-01", SECOND),
        ("9999-12-31", SECOND),
    ],
)
def test_period_of_a_day_is_the_one_that_has_begun_and_not_ended(day: str, found: PricePeriod | None) -> None:
    assert BOOK.period(day) == found


@given(book=BOOKS)
def test_every_book_reaches_the_ledger_as_it_is(book: PriceBook) -> None:
    told = BillingSettings("acme", book, ("shop/web/web-2",))
    assert decode(BillingSettings, encode(told)) == told


def test_equal_settings_are_equal_bytes_and_a_price_changes_them() -> None:
    told = BillingSettings("acme", default_book())
    assert encode(told) == encode(dataclasses.replace(told))
    dearer = dataclasses.replace(BOOK.periods[1], million_requests=Decimal("0.41"))
    assert encode(BillingSettings("acme", BOOK)) != encode(
        BillingSettings("acme", PriceBook("prices", (FIRST, dearer)))
    )


@pytest.mark.parametrize("value", ['"1e5"', "0.4", "null", '"-"'])
def test_price_that_is_no_decimal_text_is_refused_at_its_place(value: str) -> None:
    broken = encode(BillingSettings("acme", BOOK)).replace('"million_requests":"0"', f'"million_requests":{value}', 1)
    with pytest.raises(ContractError) as raised:
        decode(BillingSettings, broken)
    assert "prices.periods[0].million_requests: must be a decimal number as text" in str(raised.value)
