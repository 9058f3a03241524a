"""A small world to be billed: windows, books of prices, and what a month of them comes to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text

from runyard.contracts import UsageAmounts, UsageWindow
from runyard.contracts.window import WINDOW_MS
from runyard.pricing.metering import Basis
from runyard.pricing.prices import PriceBook, PricePeriod, Rates
from services.billing.adapters.database import reading, writing
from services.billing.adapters.prices import record_book
from services.billing.adapters.usage import Taken, take_windows
from services.billing.domain.month import Month

OCTOBER = Month(2026, 10)
GIB = 1024**3
# A vCPU-hour costs a dollar while it serves and a tenth while it idles, a GiB-hour a hundredth, a request a millionth.
HOURLY = PricePeriod(
    "2026-01-01",
    active=Rates(Decimal("0.0003"), Decimal("0.00003")),
    idle=Rates(Decimal("0.00003"), Decimal("0.000003")),
    instance=Rates(Decimal("0.0002"), Decimal("0.00002")),
    million_requests=Decimal("1.00"),
    egress_gib=Decimal("0.10"),
)
BOOK = PriceBook("test", (HOURLY,))
# One vCPU and one GiB, of whose minute half was busy.
BUSY = UsageAmounts(
    cpu_us=12_000_000,
    memory_byte_ms=GIB * 30_000,
    memory_peak_bytes=GIB // 2,
    active_ms=30_000,
    allocated_ms=60_000,
    requests=100,
    egress_bytes=1024**2,
    cpu_limit_millis=1000,
    memory_limit_bytes=GIB,
)


def at(day: int, hour: int = 0, minute: int = 0, month: int = 10) -> int:
    """Give a moment of 2026 in milliseconds."""
    return int(datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1000


def window(start_ms: int = at(1), amounts: UsageAmounts = BUSY, **given: Any) -> UsageWindow:
    """Make a window of the run `c1` of shop's web, or of what is given."""
    made = UsageWindow(
        tenant="shop",
        service="web",
        revision="web-1",
        instance="i1",
        container="c1",
        started_ms=at(1) - 5_000,
        start_ms=start_ms,
        end_ms=start_ms + WINDOW_MS,
        kind="usage",
        amounts=amounts,
    )
    return dataclasses.replace(made, **given)


def minutes(count: int, first_ms: int = at(1), **given: Any) -> list[UsageWindow]:
    """Make windows of minutes that follow each other."""
    return [window(first_ms + each * WINDOW_MS, **given) for each in range(count)]


def take(engine: Engine, windows: Iterable[UsageWindow], basis: Basis = "request") -> Taken:
    """Write windows in one transaction."""
    with writing(engine) as connection:
        return take_windows(connection, [(each, basis) for each in windows])


def set_prices(engine: Engine, book: PriceBook = BOOK) -> bool:
    """Make a book known from now on."""
    with writing(engine) as connection:
        return record_book(connection, book)


def ask(engine: Engine, query: str) -> Sequence[Any]:
    """Ask the database itself, and give the rows as tuples."""
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text(query))]
