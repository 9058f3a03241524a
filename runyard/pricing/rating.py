"""Rating: what used amounts cost at the prices of a period; pure, and exact until one rounding.

Each line of a service (CPU, memory, requests, egress, storage) is rounded to the cent, half to even. Everything above a
line is a plain sum of lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from runyard.pricing.prices import FreeTier, PricePeriod

_MILLION = 10**6
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


# Amounts that the free tier covers, by its own names; idle time and storage it does not.
_FREE: Mapping[str, str] = {
    "active_vcpu_s": "vcpu_seconds",
    "active_gib_s": "gib_seconds",
    "instance_vcpu_s": "instance_vcpu_seconds",
    "instance_gib_s": "instance_gib_seconds",
    "requests": "requests",
    "egress_gib": "egress_gib",
}


def rate(used: Sequence[Amounts], period: PricePeriod, discount: Decimal = ZERO) -> list[Lines]:
    """Rate what a tenant's services used in a month, in their order; the discount is in percent."""
    share = 1 - Fraction(discount) / 100
    return [_rate(amounts, period, share) for amounts in _after_free_tier(used, period.free_tier)]


def _after_free_tier(used: Sequence[Amounts], free: FreeTier) -> list[Amounts]:
    """Take the tenant's free tier off, from each service in proportion to what it uses."""
    paid: dict[str, Fraction] = {}
    for name, free_name in _FREE.items():
        total = sum((getattr(each, name) for each in used), _NONE)
        paid[name] = max(_NONE, total - Fraction(getattr(free, free_name))) / total if total else _NONE
    return [
        dataclasses.replace(each, **{name: getattr(each, name) * part for name, part in paid.items()}) for each in used
    ]


def _rate(due: Amounts, period: PricePeriod, share: Fraction) -> Lines:
    cpu = (
        due.active_vcpu_s * Fraction(period.active.vcpu_second)
        + due.idle_vcpu_s * Fraction(period.idle.vcpu_second)
        + due.instance_vcpu_s * Fraction(period.instance.vcpu_second)
    )
    memory = (
        due.active_gib_s * Fraction(period.active.gib_second)
        + due.idle_gib_s * Fraction(period.idle.gib_second)
        + due.instance_gib_s * Fraction(period.instance.gib_second)
    )
    return Lines(
        cpu=_cents(cpu * share),
        memory=_cents(memory * share),
        requests=_cents(due.requests / _MILLION * Fraction(period.million_requests) * share),
        egress=_cents(due.egress_gib * Fraction(period.egress_gib) * share),
        storage=_cents(due.storage_gib_month * Fraction(period.storage_gib_month) * share),
    )


def _cents(amount: Fraction) -> Decimal:
    """Round to the cent, half to even: the only rounding there is."""
    # Built from text, because arithmetic on Decimal rounds to 28 digits.
    sign, cents = ("-", -round(amount * _CENTS)) if amount < 0 else ("", round(amount * _CENTS))
    return Decimal(f"{sign}{cents // _CENTS}.{cents % _CENTS:02}")
