"""Rating: what used amounts cost at the prices of a period; pure, and exact until one rounding.

Each line of a service (CPU, memory, requests, egress, storage) is rounded to the cent, half to even. Everything above a
line is a plain sum of lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from runyard.pricing.prices import PricePeriod

_CENTS = 100
ZERO = Decimal("0.00")
_NONE = Fraction(0)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a service used, in the units that have a price.

    `active_*` and `idle_*` are of services billed by request, `instance_*` of those whose CPU is always allocated;
    these have no price for requests, so none are counted of them. Storage is in GiB for one month.
    """

    active_vcpu_s: Fraction = _NONE
    active_gib_s: Fraction = _NONE
    idle_vcpu_s: Fraction = _NONE
    idle_gib_s: Fraction = _NONE
    instance_vcpu_s: Fraction = _NONE
    instance_gib_s: Fraction = _NONE
    requests: Fraction = _NONE
    egress_gib: Fraction = _NONE
    storage_gib_month: Fraction = _NONE


@dataclass(frozen=True, slots=True)
class Lines:
    """A service's cost, each line rounded to the cent."""

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
class Part:
    """An amount of a line by its field in Amounts, its unit, and what `per` of them cost."""

    amount: str
    unit: str
    price: Callable[[PricePeriod], Decimal]
    per: int = 1


# What each line is made of.
PARTS: Mapping[str, tuple[Part, ...]] = {
    "cpu": (
        Part("active_vcpu_s", "vCPU-seconds", lambda period: period.active.vcpu_second),
        Part("idle_vcpu_s", "vCPU-seconds", lambda period: period.idle.vcpu_second),
        Part("instance_vcpu_s", "vCPU-seconds", lambda period: period.instance.vcpu_second),
    ),
    "memory": (
        Part("active_gib_s", "GiB-seconds", lambda period: period.active.gib_second),
        Part("idle_gib_s", "GiB-seconds", lambda period: period.idle.gib_second),
        Part("instance_gib_s", "GiB-seconds", lambda period: period.instance.gib_second),
    ),
    "requests": (Part("requests", "million requests", lambda period: period.million_requests, 10**6),),
    "egress": (Part("egress_gib", "GiB", lambda period: period.egress_gib),),
    "storage": (Part("storage_gib_month", "GiB-months", lambda period: period.storage_gib_month),),
}
# Amounts that the free tier covers, by its own names; idle time and storage it does not.
_FREE: Mapping[str, str] = {
    "active_vcpu_s": "vcpu_seconds",
    "active_gib_s": "gib_seconds",
    "instance_vcpu_s": "instance_vcpu_seconds",
    "instance_gib_s": "instance_gib_seconds",
    "requests": "requests",
    "egress_gib": "egress_gib",
}


@dataclass(frozen=True, slots=True)
class Interval:
    """What a tenant's services used, in their order, in a time in which one set of prices holds."""

    period: PricePeriod
    used: Sequence[Amounts]


@dataclass(frozen=True, slots=True)
class Rated:
    """What a service used in an interval, how much of it is due after the free tier, and what that costs."""

    used: Amounts
    due: Amounts
    lines: Lines


def rate(used: Sequence[Amounts], period: PricePeriod, discount: Decimal = ZERO) -> list[Lines]:
    """Rate what a tenant's services used in a month, in their order; the discount is in percent."""
    return [each.lines for each in rate_month([Interval(period, used)], discount)[0]]


def rate_month(intervals: Sequence[Interval], discount: Decimal = ZERO) -> list[list[Rated]]:
    """Rate a month in which prices change, its intervals in the order of time; the discount is in percent.

    The free tier is the month's and not the interval's: in each, what its prices grant is free, less what was used in
    the intervals before.
    """
    share = 1 - Fraction(discount) / 100
    before: dict[str, Fraction] = dict.fromkeys(_FREE, _NONE)
    found = []
    for interval in intervals:
        due = _after_free_tier(interval, before)
        found.append(
            [
                Rated(used, paid, _rate(paid, interval.period, share))
                for used, paid in zip(interval.used, due, strict=True)
            ]
        )
        for name in _FREE:
            before[name] += sum((getattr(each, name) for each in interval.used), _NONE)
    return found


def _after_free_tier(interval: Interval, before: Mapping[str, Fraction]) -> list[Amounts]:
    """Take what is left of the tenant's free tier off, from each service in proportion to what it uses."""
    paid: dict[str, Fraction] = {}
    for name, free_name in _FREE.items():
        total = sum((getattr(each, name) for each in interval.used), _NONE)
        left = max(_NONE, Fraction(getattr(interval.period.free_tier, free_name)) - before[name])
        paid[name] = max(_NONE, total - left) / total if total else _NONE
    return [
        dataclasses.replace(each, **{name: getattr(each, name) * part for name, part in paid.items()})
        for each in interval.used
    ]


def cost(amounts: Amounts, period: PricePeriod, item: str) -> Fraction:
    """Give what the amounts of one line cost, exactly."""
    parts = PARTS[item]
    return sum((getattr(amounts, each.amount) / each.per * Fraction(each.price(period)) for each in parts), _NONE)


def _rate(due: Amounts, period: PricePeriod, share: Fraction) -> Lines:
    return Lines(**{item: round_cents(cost(due, period, item) * share) for item in PARTS})


def round_cents(amount: Fraction) -> Decimal:
    """Round to the cent, half to even: the only rounding there is."""
    # Built from text, because arithmetic on Decimal rounds to 28 digits.
    sign, cents = ("-", -round(amount * _CENTS)) if amount < 0 else ("", round(amount * _CENTS))
    return Decimal(f"{sign}{cents // _CENTS}.{cents % _CENTS:02}")
