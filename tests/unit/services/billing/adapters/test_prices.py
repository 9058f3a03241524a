"""Prices in the database: what was known when, and which of it holds on which days."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine

from runyard.errors import UsageError
from runyard.manifest.pricebook import default_book
from runyard.pricing.prices import PriceBook, PricePeriod
from services.billing.adapters.database import reading, writing
from services.billing.adapters.prices import book_known, known_book, latest_book, record_book
from services.billing.domain.month import Month
from tests.unit.runyard.pricing.test_prices import BOOKS
from tests.unit.services.billing.world import BOOK, HOURLY, OCTOBER, ask, set_prices

OTHER = PriceBook(
    "other", (dataclasses.replace(HOURLY, million_requests=Decimal("0.5")),), discounts={"shop": Decimal(5)}
)


def test_ledger_without_a_book_says_so(engine: Engine) -> None:
    with reading(engine) as connection:
        assert latest_book(connection) is None
        with pytest.raises(UsageError, match=r"^price book: must be known to the ledger, got none$"):
            known_book(connection)


def test_book_that_is_not_known_any_more_is_still_there_as_it_was(engine: Engine) -> None:
    set_prices(engine)
    with reading(engine) as connection:
        first = known_book(connection)
    set_prices(engine, OTHER)
    with reading(engine) as connection:
        assert known_book(connection).book == OTHER
        assert book_known(connection, first.known_from) == first
    assert first.book == BOOK


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(book=BOOKS)
def test_every_book_comes_back_as_it_was_written(engine: Engine, book: PriceBook) -> None:
    set_prices(engine, book)
    with reading(engine) as connection:
        assert known_book(connection).book == book


def test_book_that_ships_is_kept_without_its_place_on_this_machine(engine: Engine) -> None:
    assert set_prices(engine, default_book())
    assert not set_prices(engine, dataclasses.replace(default_book(), location=None))


def test_book_is_written_once_by_several_that_begin_with_it(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: set_prices(engine, OTHER), range(4)))
    assert sorted(written) == [False, False, False, True]
    assert ask(engine, "SELECT count(*) FROM prices") == [(1,)]
    assert ask(engine, "SELECT kind, detail ->> 'book' FROM events") == [("prices-recorded", "other")]


def test_books_of_one_transaction_are_known_one_after_the_other(engine: Engine) -> None:
    with writing(engine) as connection:
        for book in (BOOK, OTHER, BOOK):
            assert record_book(connection, book)
    with reading(engine) as connection:
        assert known_book(connection).book == BOOK


@pytest.mark.parametrize(
    ("days", "terms"),
    [
        ([("2026-01-01", "")], [(1, 32)]),
        ([("2026-10-01", "2026-11-01")], [(1, 32)]),
        ([("2026-01-01", "2026-10-11"), ("2026-10-11", "")], [(1, 11), (11, 32)]),
        ([("2026-10-05", "2026-10-06"), ("2026-10-20", "")], [(5, 6), (20, 32)]),
        ([("2026-01-01", "2026-10-01"), ("2026-11-01", "")], []),
    ],
    ids=["open", "whole", "change", "gaps", "beside"],
)
def test_terms_of_a_month_are_the_days_on_which_prices_hold(
    engine: Engine, days: list[tuple[str, str]], terms: list[tuple[int, int]]
) -> None:
    periods = tuple(PricePeriod(start, end) for start, end in days)
    set_prices(engine, PriceBook("any", periods))
    with reading(engine) as connection:
        found = known_book(connection).terms(OCTOBER)
    first = OCTOBER.starts.toordinal() - 1
    assert [(each.starts.toordinal() - first, each.ends.toordinal() - first) for each in found] == terms


def test_discount_is_the_tenants_own(engine: Engine) -> None:
    set_prices(engine, OTHER)
    with reading(engine) as connection:
        book = known_book(connection)
    assert (book.discount("shop"), book.discount("rival")) == (5, 0)


def test_terms_of_february_end_with_it(engine: Engine) -> None:
    set_prices(engine)
    with reading(engine) as connection:
        (term,) = known_book(connection).terms(Month(2028, 2))
    assert (term.starts, term.ends) == (date(2028, 2, 1), date(2028, 3, 1))
