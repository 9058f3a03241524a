"""Cost of manifests in a month of 730 hours, by service and tenant.

Expected is what its usage makes of a service, floor that it is idle at its minScale, ceiling that it is busy at its
maxScale all month. A schedule counts for as long as each entry holds in the month that begins with the day. They
enclose what is expected: the free tier covers requests and no idle time, so that a kept instance may cost less busy
than idle, and the floor is then what is expected. `runyard.pricing.rating` makes money of what each of the three uses.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from runyard.errors import UsageError
from runyard.forecast.usage import MONTH_HOURS, Usage, Usages
from runyard.manifest.model import Manifests, Service
from runyard.manifest.pricebook import default_book
from runyard.names import service_key
from runyard.pricing.prices import PriceBook, PricePeriod
from runyard.pricing.rating import ZERO, Amounts, Lines, rate
from runyard.scaling.schedule import minimums
from runyard.zones import parse_day

MONTH_S = MONTH_HOURS * 3600
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """What a service costs, floor <= expected <= ceiling; `ceiling` is None when its instances have no limit."""

    tenant: str
    service: str
    floor: Lines
    expected: Lines
    ceiling: Lines | None
    basis: str


@dataclass(frozen=True, slots=True)
class TenantCost:
    """What a tenant costs: the sum of its services."""

    tenant: str
    services: tuple[ServiceCost, ...]

    @property
    def totals(self) -> tuple[Decimal, Decimal, Decimal | None]:
        """Floor, expected and ceiling."""
        return _totals([(each.floor.total, each.expected.total, _total(each.ceiling)) for each in self.services])


@dataclass(frozen=True, slots=True)
class Costs:
    """What everything costs: the sum of the tenants; `period_start` is the first day of the prices that were used."""

    currency: str
    book: str
    period_start: str
    tenants: tuple[TenantCost, ...]

    @property
    def totals(self) -> tuple[Decimal, Decimal, Decimal | None]:
        """Floor, expected and ceiling."""
        return _totals([tenant.totals for tenant in self.tenants])


def price(manifests: Manifests, day: str, usages: Usages | None = None) -> Costs:
    """Price manifests at the prices of an ISO date; UsageError if the price book has none for it."""
    book, period = _prices(manifests, day)
    usages = usages or Usages()
    tenants = []
    for name in sorted({service.tenant for service in manifests.services}):
        own = [service for service in manifests.services if service.tenant == name]
        least_s = [kept_s(service, day) for service in own]
        rated = _price_tenant(name, list(zip(own, least_s, strict=True)), (book, period), usages)
        tenants.append(TenantCost(name, rated))
    return Costs(book.currency, book.name, period.start, tuple(tenants))


def price_use(
    service: Service, used: tuple[Fraction, Fraction, Fraction], manifests: Manifests, day: str
) -> tuple[str, Decimal]:
    """Price what a service used in a month: seconds of its instances, those with requests, and requests.

    Gives currency and cost, without what its responses weigh; UsageError as in `price`.
    """
    book, period = _prices(manifests, day)
    alive, busy, requests = used
    amounts = _kept(service, alive, busy)
    paid = requests if service.template.billed_by_request else Fraction(0)
    discount = book.discounts.get(service.tenant, ZERO)
    return book.currency, rate([dataclasses.replace(amounts, requests=paid)], period, discount)[0].total


def kept_s(service: Service, day: str) -> int:
    """Give the seconds of the instances that minScale and a schedule keep in a month that begins with an ISO date."""
    begins = parse_day(day).utc_s
    ends = begins + MONTH_S
    changes = [*minimums(service.schedule, begins, ends), (ends, 0)]
    return sum(service.asked_least(count) * (until - since) for (since, count), (until, _) in pairwise(changes))


def _prices(manifests: Manifests, day: str) -> tuple[PriceBook, PricePeriod]:
    book = manifests.price_book or default_book()
    period = book.period(day)
    if period is None:
        # The default book's place is in this package, where nobody can mend it.
        where = f"{book.location}: " if manifests.price_book and book.location else ""
        raise UsageError(f"{where}price book {book.name}: must have prices for {day}, got none")
    return book, period


def _price_tenant(
    tenant: str, kept: Sequence[tuple[Service, int]], prices: tuple[PriceBook, PricePeriod], usages: Usages
) -> tuple[ServiceCost, ...]:
    """Price services, of which each keeps instances for so many seconds."""
    book, period = prices
    pairs = [(service, usages.of(service_key(tenant, service.name))) for service, _ in kept]
    discount = book.discounts.get(tenant, ZERO)
    floor = rate([_kept(service, Fraction(least_s), Fraction(0)) for service, least_s in kept], period, discount)
    used = [
        _expected(service, usage, least_s, book) for (service, usage), (_, least_s) in zip(pairs, kept, strict=True)
    ]
    expected = rate(used, period, discount)
    bounded = [(service, usage) for service, usage in pairs if service.asked_scale[1] is not None]
    busy = rate([_busy(service, usage) for service, usage in bounded], period, discount)
    ceiling = {service.name: lines for (service, _), lines in zip(bounded, busy, strict=True)}
    found = []
    for (service, usage), low, mean in zip(pairs, floor, expected, strict=True):
        high = ceiling.get(service.name)
        enclosing = min(low, mean, key=_amount), mean, max(high, mean, key=_amount) if high else None
        found.append(ServiceCost(tenant, service.name, *enclosing, usage.basis))
    return tuple(found)


def _busy(service: Service, usage: Usage) -> Amounts:
    most = service.asked_scale[1]
    if most == 0:
        return _stored(service, Fraction(0))
    seconds = Fraction((most or 0) * MONTH_S)
    rated = (service.max_requests_per_second or 0) * MONTH_S
    return _asked(service, _kept(service, seconds, seconds), usage, max(Fraction(usage.requests), Fraction(rated)))


def _expected(service: Service, usage: Usage, least_s: int, book: PriceBook) -> Amounts:
    most = service.asked_scale[1]
    # Scaled to none by hand, it serves nothing: whatever is asked of it, nothing is done and nothing is sent.
    if most == 0:
        return _stored(service, Fraction(0))
    # A request pays for whole intervals: 101 ms cost as 200 ms when the interval is 100 ms.
    intervals = math.ceil(Fraction(usage.request_ms) / book.minimum_charge_ms)
    at_once = Fraction(usage.concurrency)
    if service.template.container_concurrency:
        at_once = min(at_once, Fraction(service.template.container_concurrency))
    busy = Fraction(usage.requests) * intervals * book.minimum_charge_ms / 1000 / at_once
    if most is not None:
        busy = min(busy, Fraction(most * MONTH_S))
    amounts = _kept(service, max(busy, Fraction(least_s)), busy)
    return _asked(service, amounts, usage, Fraction(usage.requests))


def _kept(service: Service, alive: Fraction, busy: Fraction) -> Amounts:
    """Give instance-seconds alive, of which busy, to the kind of billing that the service has."""
    vcpus, gibs = _size(service)
    amounts = _stored(service, alive / MONTH_S)
    if service.template.billed_by_request:
        idle = alive - busy
        return dataclasses.replace(
            amounts,
            active_vcpu_s=busy * vcpus,
            active_gib_s=busy * gibs,
            idle_vcpu_s=idle * vcpus,
            idle_gib_s=idle * gibs,
        )
    return dataclasses.replace(amounts, instance_vcpu_s=alive * vcpus, instance_gib_s=alive * gibs)


def _stored(service: Service, instances: Fraction) -> Amounts:
    # Volumes that stay are paid whether or not instances run.
    stored = instances * service.template.storage_bytes + service.persistent_bytes
    return Amounts(storage_gib_month=stored / _GIB)


def _asked(service: Service, amounts: Amounts, usage: Usage, requests: Fraction) -> Amounts:
    # Instance-based billing has no price for requests.
    paid = requests if service.template.billed_by_request else Fraction(0)
    return dataclasses.replace(amounts, requests=paid, egress_gib=Fraction(usage.egress_gib))


def _size(service: Service) -> tuple[Fraction, Fraction]:
    """Give an instance's vCPUs and GiB of memory, all containers together; what runs before them is not paid."""
    millis = sum(container.cpu_millis for container in service.template.containers)
    memory = sum(container.memory_bytes for container in service.template.containers)
    return Fraction(millis, 1000), Fraction(memory, _GIB)


def _amount(lines: Lines) -> Decimal:
    return lines.total


def _total(lines: Lines | None) -> Decimal | None:
    return None if lines is None else lines.total


def _totals(
    rows: Sequence[tuple[Decimal, Decimal, Decimal | None]],
) -> tuple[Decimal, Decimal, Decimal | None]:
    ceilings = [row[2] for row in rows]
    bounded = [each for each in ceilings if each is not None]
    ceiling = sum(bounded, ZERO) if len(bounded) == len(ceilings) else None
    return sum((row[0] for row in rows), ZERO), sum((row[1] for row in rows), ZERO), ceiling
