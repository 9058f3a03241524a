"""Prices as frozen, decimal data: what a unit of use costs, from when to when, and for whom less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from runyard.location import Location

ZERO = Decimal(0)
# The default book's currency, and that of a budget which names none.
DEFAULT_CURRENCY = "USD"
DEFAULT_MINIMUM_CHARGE_MS = 100


@dataclass(frozen=True, slots=True)
class Rates:
    """What a second of one vCPU and a second of one GiB of memory cost."""

    vcpu_second: Decimal = ZERO
    gib_second: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class FreeTier:
    """What each tenant gets for nothing every month; compute apart for the two kinds of billing."""

    vcpu_seconds: Decimal = ZERO
    gib_seconds: Decimal = ZERO
    instance_vcpu_seconds: Decimal = ZERO
    instance_gib_seconds: Decimal = ZERO
    requests: Decimal = ZERO
    egress_gib: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """Prices of the days `start` <= day < `end`, as ISO dates in UTC; an empty `end` is open.

    `active` and `idle` are of services billed by request, `instance` of those whose CPU is always allocated.
    """

    start: str
    end: str = ""
    active: Rates = field(default_factory=Rates)
    idle: Rates = field(default_factory=Rates)
    instance: Rates = field(default_factory=Rates)
    million_requests: Decimal = ZERO
    egress_gib: Decimal = ZERO
    storage_gib_month: Decimal = ZERO
    free_tier: FreeTier = field(default_factory=FreeTier)

    def covers(self, day: str) -> bool:
        """Tell whether these prices hold on an ISO date."""
        return self.start <= day and (not self.end or day < self.end)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices over time, and each tenant's discount in percent."""

    name: str
    periods: tuple[PricePeriod, ...]
    currency: str = DEFAULT_CURRENCY
    minimum_charge_ms: int = DEFAULT_MINIMUM_CHARGE_MS
    discounts: Mapping[str, Decimal] = field(default_factory=dict)
    location: Location | None = None

    def period(self, day: str) -> PricePeriod | None:
        """Give the prices that hold on an ISO date, or None."""
        return next((period for period in self.periods if period.covers(day)), None)
