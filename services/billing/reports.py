"""Reports: usage and cost by day, and what the metrics show, read from the ledger at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Engine, text

from runyard.contracts import Measures
from runyard.errors import UsageError
from runyard.pricing.metering import Metered
from services.billing.adapters.bills import list_tenants
from services.billing.adapters.database import reading
from services.billing.adapters.prices import KnownBook, known_book
from services.billing.adapters.usage import last_row, measure_services, sum_days
from services.billing.domain.charge import price_day, to_places
from services.billing.domain.month import Month, midnight, month_of
from services.billing.invoicing import Invoicing

# A year and a day: more is a mistake, or an attempt to keep the ledger busy.
MOST_DAYS = 367
# Whole weeks, because weekends are not as other days are.
MEASURED_DAYS = 28
_ZERO = Decimal("0.000000")


@dataclass(frozen=True, slots=True)
class Range:
    """What is asked for: the days `start` <= day < `end`, of one tenant and service or of all (None)."""

    start: date
    end: date
    tenant: str | None = None
    service: str | None = None

    def check(self) -> None:
        """Refuse a range that is empty or too long; UsageError says which."""
        days = (self.end - self.start).days
        if not 0 < days <= MOST_DAYS:
            raise UsageError(f"until: must be 1 to {MOST_DAYS} days after from ({self.start}), got {self.end}")


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What a service had on a day, in the units of the prices, to six places."""

    tenant: str
    service: str
    day: str
    active_vcpu_s: Decimal
    active_gib_s: Decimal
    idle_vcpu_s: Decimal
    idle_gib_s: Decimal
    instance_vcpu_s: Decimal
    instance_gib_s: Decimal
    requests: int
    egress_gib: Decimal


@dataclass(frozen=True, slots=True)
class CostRow:
    """What a service's use of a day costs at list prices, before free tier and discount, to six places."""

    tenant: str
    service: str
    day: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ServiceGauge:
    """A service's cost: of the month so far as its draft has it, and of the last hour at list prices."""

    tenant: str
    service: str
    month: Decimal
    hour: Decimal


@dataclass(frozen=True, slots=True)
class Gauges:
    """What metrics show; `last_window` is the end of the newest window, None before the first."""

    currency: str
    services: tuple[ServiceGauge, ...]
    last_window: datetime | None
    estimated_windows: int


def usage_rows(engine: Engine, asked: Range) -> list[UsageRow]:
    """Report usage by day, in the order of tenant, service and day; UsageError for a range that cannot be."""
    asked.check()
    with reading(engine) as connection:
        return [_usage_row(tenant, service, day, metered) for tenant, service, day, metered in _days(connection, asked)]


def cost_rows(engine: Engine, asked: Range) -> list[CostRow]:
    """Report cost by day, in the order of `usage_rows`; UsageError for a day without prices, too."""
    asked.check()
    with reading(engine) as connection:
        book = known_book(connection)
        return [
            CostRow(tenant, service, str(day), _price(book, service, day, metered), book.book.currency)
            for tenant, service, day, metered in _days(connection, asked)
        ]


def measures(engine: Engine, now: datetime) -> Measures:
    """Report what services did in the last days by which they are priced and sized."""
    with reading(engine) as connection:
        return Measures(measure_services(connection, now - timedelta(days=MEASURED_DAYS), now))


def gauges(engine: Engine, invoicing: Invoicing, now: datetime) -> Gauges:
    """Read what metrics show of this month; without prices there is no cost to show."""
    month = month_of(now.date())
    with reading(engine) as connection:
        tenants = list_tenants(connection)
        hours = {tenant: _last_hour(connection, tenant, now) for tenant in tenants}
        last = connection.execute(text("SELECT max(last_window) FROM containers")).scalar()
        estimated = _estimated(connection, month)
    found, currency = [], ""
    for tenant in tenants:
        statement = invoicing.state(tenant, month)
        currency = statement.currency
        so_far: dict[str, Decimal] = {}
        for line in (line for bill in statement.bills for line in bill.lines):
            so_far[line.service] = so_far.get(line.service, Decimal("0.00")) + line.amount
        for service in sorted(so_far.keys() | hours[tenant].keys()):
            month_cost = so_far.get(service, Decimal("0.00"))
            found.append(ServiceGauge(tenant, service, month_cost, hours[tenant].get(service, _ZERO)))
    return Gauges(currency, tuple(found), last, estimated)


def _days(connection: Connection, asked: Range) -> Sequence[tuple[str, str, date, Metered]]:
    minimum, upto = known_book(connection).book.minimum_charge_ms, last_row(connection)
    tenants = list_tenants(connection) if asked.tenant is None else [asked.tenant]
    return [
        (tenant, service, day, metered)
        for tenant in tenants
        for (service, day), metered in sorted(
            sum_days(connection, tenant, (midnight(asked.start), midnight(asked.end)), minimum, upto).items()
        )
        if asked.service in (None, service)
    ]


def _last_hour(connection: Connection, tenant: str, now: datetime) -> dict[str, Decimal]:
    book = known_book(connection)
    minimum = book.book.minimum_charge_ms
    found: dict[str, Decimal] = {}
    for (service, day), metered in sum_days(
        connection, tenant, (now - timedelta(hours=1), now), minimum, last_row(connection)
    ).items():
        found[service] = found.get(service, _ZERO) + _price(book, service, day, metered)
    return found


def _price(book: KnownBook, service: str, day: date, metered: Metered) -> Decimal:
    period = book.book.period(str(day))
    if period is None:
        raise UsageError(f"price book {book.book.name}: must have prices for {day}, got none")
    return price_day(service, day, metered, period).amount


def _estimated(connection: Connection, month: Month) -> int:
    asked = dict(zip(("starts", "ends"), month.times, strict=True))
    query = "SELECT count(*) FROM usage WHERE estimated AND window_start >= :starts AND window_start < :ends"
    return int(connection.execute(text(query), asked).scalar_one())


def _usage_row(tenant: str, service: str, day: date, metered: Metered) -> UsageRow:
    a = metered.amounts()
    return UsageRow(
        tenant=tenant,
        service=service,
        day=str(day),
        active_vcpu_s=to_places(a.active_vcpu_s),
        active_gib_s=to_places(a.active_gib_s),
        idle_vcpu_s=to_places(a.idle_vcpu_s),
        idle_gib_s=to_places(a.idle_gib_s),
        instance_vcpu_s=to_places(a.instance_vcpu_s),
        instance_gib_s=to_places(a.instance_gib_s),
        requests=metered.requests,
        egress_gib=to_places(a.egress_gib),
    )
