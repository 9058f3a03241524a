"""Cost of manifests in a month of 730 hours, by service and tenant.

Expected is what its usage makes of a service, floor that it is idle at its minScale, ceiling that it is busy at its
maxScale all month. They enclose what is expected: the free tier covers requests and no idle time, so that a kept
instance may cost less busy than idle, and the floor is then what is expected. All is exact until one rounding: each
line of a service (CPU, memory, requests, egress, storage) is rounded to the cent, half to even. Everything above a line
is a plain sum of lines.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from runyard.errors import UsageError
from runyard.manifest.model import Manifests, Service
from runyard.manifest.pricebook import default_book
from runyard.manifest.prices import FreeTier, PriceBook, PricePeriod
from runyard.names import service_key
from runyard.pricing.usage import MONTH_HOURS, Usage, Usages

MONTH_S = MONTH_HOURS * 3600
_GIB = 1024**3
_MILLION = 10**6
_CENTS = 100
ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Lines:
    """A service's cost in a month, each line rounded to the cent."""

    cpu: Decimal = ZERO
    memory: Decimal = ZERO
    requests: Decimal = ZERO
    egress: Decimal = ZERO
    storage: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """The sum of the lines."""
        return self.cpu + self.memory + self.requests + self.egress + self.storage


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


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What a service uses in a month; exact."""

    active: Fraction = Fraction(0)
    idle: Fraction = Fraction(0)
    allocated: Fraction = Fraction(0)
    requests: Fraction = Fraction(0)
    egress_gib: Fraction = Fraction(0)
    instances: Fraction = Fraction(0)


def price(manifests: Manifests, day: str, usages: Usages | None = None) -> Costs:
    """Price manifests at the prices of an ISO date; UsageError if the price book has none for it."""
    book = manifests.price_book or default_book()
    period = book.period(day)
    if period is None:
        # The default book's place is in this package, where nobody can mend it.
        where = f"{book.location}: " if manifests.price_book and book.location else ""
        raise UsageError(f"{where}price book {book.name}: must have prices for {day}, got none")
    usages = usages or Usages()
    tenants = []
    for name in sorted({service.tenant for service in manifests.services}):
        own = [service for service in manifests.services if service.tenant == name]
        tenants.append(TenantCost(name, _price_tenant(name, own, book, period, usages)))
    return Costs(book.currency, book.name, period.start, tuple(tenants))


def _price_tenant(
    tenant: str, services: Sequence[Service], book: PriceBook, period: PricePeriod, usages: Usages
) -> tuple[ServiceCost, ...]:
    used = [usages.of(service_key(tenant, service.name)) for service in services]
    pairs = list(zip(services, used, strict=True))
    floor = _price_case(tenant, services, [_idle(service) for service in services], book, period)
    expected = _price_case(tenant, services, [_expected(s, u, book) for s, u in pairs], book, period)
    bounded = [(service, usage) for service, usage in pairs if service.asked_scale[1] is not None]
    busy = _price_case(tenant, [s for s, _ in bounded], [_busy(s, u) for s, u in bounded], book, period)
    ceiling = {service.name: lines for (service, _), lines in zip(bounded, busy, strict=True)}
    found = []
    for (service, usage), low, mean in zip(pairs, floor, expected, strict=True):
        high = ceiling.get(service.name)
        enclosing = min(low, mean, key=_amount), mean, max(high, mean, key=_amount) if high else None
        found.append(ServiceCost(tenant, service.name, *enclosing, usage.basis))
    return tuple(found)


def _idle(service: Service) -> _Amounts:
    return _kept(service, Fraction(service.asked_scale[0] * MONTH_S), Fraction(0))


def _busy(service: Service, usage: Usage) -> _Amounts:
    most = service.asked_scale[1]
    if most == 0:
        return _Amounts()
    seconds = Fraction((most or 0) * MONTH_S)
    rate = (service.max_requests_per_second or 0) * MONTH_S
    requests = max(Fraction(usage.requests), Fraction(rate))
    return dataclasses.replace(
        _kept(service, seconds, seconds), requests=requests, egress_gib=Fraction(usage.egress_gib)
    )


def _expected(service: Service, usage: Usage, book: PriceBook) -> _Amounts:
    least, most = service.asked_scale
    # Scaled to none by hand, it serves nothing: whatever is asked of it, nothing is done and nothing is sent.
    if most == 0:
        return _Amounts()
    # A request pays for whole intervals: 101 ms cost as 200 ms when the interval is 100 ms.
    intervals = math.ceil(Fraction(usage.request_ms) / book.minimum_charge_ms)
    at_once = Fraction(usage.concurrency)
    if service.template.container_concurrency:
        at_once = min(at_once, Fraction(service.template.container_concurrency))
    busy = Fraction(usage.requests) * intervals * book.minimum_charge_ms / 1000 / at_once
    if most is not None:
        busy = min(busy, Fraction(most * MONTH_S))
    amounts = _kept(service, max(busy, Fraction(least * MONTH_S)), busy)
    return dataclasses.replace(amounts, requests=Fraction(usage.requests), egress_gib=Fraction(usage.egress_gib))


def _kept(service: Service, alive: Fraction, busy: Fraction) -> _Amounts:
    """Give instance-seconds alive, of which busy, to the kind of billing that the service has."""
    instances = alive / MONTH_S
    if service.template.billed_by_request:
        return _Amounts(active=busy, idle=alive - busy, instances=instances)
    return _Amounts(allocated=alive, instances=instances)


def _price_case(
    tenant: str, services: Sequence[Service], amounts: Sequence[_Amounts], book: PriceBook, period: PricePeriod
) -> list[Lines]:
    share = 1 - Fraction(book.discounts.get(tenant, Decimal(0))) / 100
    due = _after_free_tier(services, amounts, period.free_tier)
    return [
        _price_service(service, amount, paid, period, share)
        for service, amount, paid in zip(services, amounts, due, strict=True)
    ]


def _after_free_tier(
    services: Sequence[Service], amounts: Sequence[_Amounts], free: FreeTier
) -> list[dict[str, Fraction]]:
    """Take the tenant's free tier off, from each service in proportion to what it uses."""
    rows = []
    for service, amount in zip(services, amounts, strict=True):
        vcpus, gibs = _size(service)
        rows.append(
            {
                "vcpu": amount.active * vcpus,
                "gib": amount.active * gibs,
                "instance_vcpu": amount.allocated * vcpus,
                "instance_gib": amount.allocated * gibs,
                # Instance-based billing has no price for requests.
                "requests": amount.requests if service.template.billed_by_request else Fraction(0),
                "egress": amount.egress_gib,
            }
        )
    allowed = {
        "vcpu": free.vcpu_seconds,
        "gib": free.gib_seconds,
        "instance_vcpu": free.instance_vcpu_seconds,
        "instance_gib": free.instance_gib_seconds,
        "requests": free.requests,
        "egress": free.egress_gib,
    }
    for key, limit in allowed.items():
        used = sum((row[key] for row in rows), Fraction(0))
        paid = max(Fraction(0), used - Fraction(limit)) / used if used else Fraction(0)
        for row in rows:
            row[key] *= paid
    return rows


def _price_service(
    service: Service, amounts: _Amounts, due: Mapping[str, Fraction], period: PricePeriod, share: Fraction
) -> Lines:
    vcpus, gibs = _size(service)
    prices = {key: Fraction(value) for key, value in _unit_prices(period).items()}
    idle_vcpu, idle_gib = amounts.idle * vcpus, amounts.idle * gibs
    cpu = (
        due["vcpu"] * prices["vcpu"] + idle_vcpu * prices["idle_vcpu"] + due["instance_vcpu"] * prices["instance_vcpu"]
    )
    # Volumes that stay are paid whether or not instances run.
    stored = amounts.instances * service.template.storage_bytes + service.persistent_bytes
    memory = due["gib"] * prices["gib"] + idle_gib * prices["idle_gib"] + due["instance_gib"] * prices["instance_gib"]
    return Lines(
        cpu=_cents(cpu * share),
        memory=_cents(memory * share),
        requests=_cents(due["requests"] / _MILLION * prices["requests"] * share),
        egress=_cents(due["egress"] * prices["egress"] * share),
        storage=_cents(stored / _GIB * prices["storage"] * share),
    )


def _unit_prices(period: PricePeriod) -> dict[str, Decimal]:
    return {
        "vcpu": period.active.vcpu_second,
        "gib": period.active.gib_second,
        "idle_vcpu": period.idle.vcpu_second,
        "idle_gib": period.idle.gib_second,
        "instance_vcpu": period.instance.vcpu_second,
        "instance_gib": period.instance.gib_second,
        "requests": period.million_requests,
        "egress": period.egress_gib,
        "storage": period.storage_gib_month,
    }


def _size(service: Service) -> tuple[Fraction, Fraction]:
    """Give an instance's vCPUs and GiB of memory, all containers together; what runs before them is not paid."""
    millis = sum(container.cpu_millis for container in service.template.containers)
    memory = sum(container.memory_bytes for container in service.template.containers)
    return Fraction(millis, 1000), Fraction(memory, _GIB)


def _cents(amount: Fraction) -> Decimal:
    """Round to the cent, half to even: the only rounding there is."""
    # Built from text, because arithmetic on Decimal rounds to 28 digits.
    sign, cents = ("-", -round(amount * _CENTS)) if amount < 0 else ("", round(amount * _CENTS))
    return Decimal(f"{sign}{cents // _CENTS}.{cents % _CENTS:02}")


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
