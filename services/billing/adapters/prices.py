"""Prices in the database: every book as it was known from a moment on, and what it says of a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from runyard.errors import UsageError
from runyard.pricing.prices import FreeTier, PriceBook, PricePeriod, Rates
from runyard.pricing.rating import ZERO
from services.billing.adapters.events import write_event
from services.billing.domain.charge import Term
from services.billing.domain.month import Month

# Two processes that begin with the same new book write it once; a number that nobody else locks.
_BOOK_LOCK = 7_203_004


@dataclass(frozen=True, slots=True)
class KnownBook:
    """A book as it was known from a moment on; the ids of its periods are in their order."""

    known_from: datetime
    book: PriceBook
    ids: tuple[int, ...]

    def terms(self, month: Month) -> list[Term]:
        """Give the prices of a month's days, in order; days without prices are in none."""
        found = []
        for number, period in zip(self.ids, self.book.periods, strict=True):
            starts = max(month.starts, date.fromisoformat(period.start))
            ends = min(month.ends, date.fromisoformat(period.end)) if period.end else month.ends
            if starts < ends:
                found.append(Term(number, starts, ends, period))
        return found

    def discount(self, tenant: str) -> Decimal:
        """Give a tenant's discount in percent."""
        return self.book.discounts.get(tenant, ZERO)


def record_book(connection: Connection, book: PriceBook) -> bool:
    """Write a book down as known from now on, unless it is the one that is known; True if it was written."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _BOOK_LOCK})
    known = latest_book(connection)
    if known is not None and known.book == replace(book, location=None):
        return False
    # Not before the one that is known, wherever the clock is.
    moment = "greatest(clock_timestamp(), (SELECT max(known_from) + interval '1 microsecond' FROM prices))"
    known_from = connection.execute(text(f"SELECT {moment}")).scalar_one()
    for period in book.periods:
        row = {"known_from": known_from, **_row(book, period)}
        names, values = ", ".join(row), ", ".join(f":{each}" for each in row)
        # Of names that are written here alone.
        connection.execute(text(f"INSERT INTO prices ({names}) VALUES ({values})"), row)  # noqa: S608
    for tenant, percent in sorted(book.discounts.items()):
        connection.execute(
            text("INSERT INTO discounts (known_from, tenant, percent) VALUES (:known_from, :tenant, :percent)"),
            {"known_from": known_from, "tenant": tenant, "percent": percent},
        )
    write_event(connection, "prices-recorded", {"book": book.name, "periods": len(book.periods)})
    return True


def latest_book(connection: Connection) -> KnownBook | None:
    """Give the book that is known; None before the first."""
    known_from = connection.execute(text("SELECT max(known_from) FROM prices")).scalar()
    return None if known_from is None else book_known(connection, known_from)


def known_book(connection: Connection) -> KnownBook:
    """Give the book that is known; UsageError before the first."""
    found = latest_book(connection)
    if found is None:
        raise UsageError("price book: must be known to the ledger, got none")
    return found


def book_known(connection: Connection, known_from: datetime) -> KnownBook:
    """Give the book that was known from a moment on."""
    asked = {"known_from": known_from}
    rows = connection.execute(
        text("SELECT * FROM prices WHERE known_from = :known_from ORDER BY valid_from"), asked
    ).mappings()
    found = [dict(each) for each in rows]
    discounts = connection.execute(
        text("SELECT tenant, percent FROM discounts WHERE known_from = :known_from ORDER BY tenant"), asked
    )
    first = found[0]
    book = PriceBook(
        name=first["book"],
        periods=tuple(_period(each) for each in found),
        currency=first["currency"],
        minimum_charge_ms=first["minimum_charge_ms"],
        discounts={row[0]: row[1] for row in discounts},
    )
    return KnownBook(known_from, book, tuple(each["id"] for each in found))


def _row(book: PriceBook, period: PricePeriod) -> Mapping[str, Any]:
    free = period.free_tier
    return {
        "book": book.name,
        "valid_from": date.fromisoformat(period.start),
        "valid_until": date.fromisoformat(period.end) if period.end else None,
        "currency": book.currency,
        "minimum_charge_ms": book.minimum_charge_ms,
        **_rates_row("active", period.active),
        **_rates_row("idle", period.idle),
        **_rates_row("instance", period.instance),
        "million_requests": period.million_requests,
        "egress_gib": period.egress_gib,
        "storage_gib_month": period.storage_gib_month,
        "free_active_vcpu_seconds": free.vcpu_seconds,
        "free_active_gib_seconds": free.gib_seconds,
        "free_instance_vcpu_seconds": free.instance_vcpu_seconds,
        "free_instance_gib_seconds": free.instance_gib_seconds,
        "free_requests": free.requests,
        "free_egress_gib": free.egress_gib,
    }


def _rates_row(use: str, rates: Rates) -> Mapping[str, Decimal]:
    return {f"{use}_vcpu_second": rates.vcpu_second, f"{use}_gib_second": rates.gib_second}


def _period(row: Mapping[str, Any]) -> PricePeriod:
    return PricePeriod(
        start=row["valid_from"].isoformat(),
        end=row["valid_until"].isoformat() if row["valid_until"] else "",
        active=_rates("active", row),
        idle=_rates("idle", row),
        instance=_rates("instance", row),
        million_requests=row["million_requests"],
        egress_gib=row["egress_gib"],
        storage_gib_month=row["storage_gib_month"],
        free_tier=FreeTier(
            vcpu_seconds=row["free_active_vcpu_seconds"],
            gib_seconds=row["free_active_gib_seconds"],
            instance_vcpu_seconds=row["free_instance_vcpu_seconds"],
            instance_gib_seconds=row["free_instance_gib_seconds"],
            requests=row["free_requests"],
            egress_gib=row["free_egress_gib"],
        ),
    )


def _rates(use: str, row: Mapping[str, Any]) -> Rates:
    return Rates(row[f"{use}_vcpu_second"], row[f"{use}_gib_second"])
