"""Replay of a generated month: what three tenants pay, exact to the cent, by three paths that share no arithmetic.

The answer is known from how the month is made: it is added up here in whole numbers, row by row, without the ledger's
code for rating. Python made the bills, and SQL recomputes them.
"""

from __future__ import annotations

import dataclasses
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from sqlalchemy import Engine

from runyard.contracts import UsageAmounts, UsageWindow
from runyard.manifest.pricebook import default_book
from runyard.pricing.metering import Basis
from runyard.pricing.prices import FreeTier, PriceBook, PricePeriod, Rates
from services.billing.adapters.database import reading, writing
from services.billing.adapters.journal import find_problems
from services.billing.adapters.usage import take_windows
from services.billing.adapters.verification import verify_bills
from services.billing.invoicing import Invoicing, Issuer
from tests.harness.seeds import given_seed
from tests.unit.services.billing.world import OCTOBER, at, set_prices, window

MINUTE = 60_000
GIB = 1024**3
FREE = FreeTier(*map(Decimal, ("9000", "18000.5", "7000", "9000", "2000000", "0.25")))
# Cloud Run's, and dearer ones from the 11th, with a free tier that is smaller in part.
FIRST = dataclasses.replace(default_book().periods[0], end="2026-10-11", free_tier=FREE)
SECOND = PricePeriod(
    "2026-10-11",
    active=Rates(Decimal("0.000031"), Decimal("0.0000033")),
    idle=Rates(Decimal("0.0000029"), Decimal("0.0000031")),
    instance=Rates(Decimal("0.000019"), Decimal("0.0000023")),
    million_requests=Decimal("0.45"),
    egress_gib=Decimal("0.13"),
    free_tier=dataclasses.replace(FREE, requests=Decimal(1_500_000)),
)
DISCOUNTS = {"north": Decimal("12.5")}
BOOK = PriceBook("replay", (FIRST, SECOND), discounts=DISCOUNTS)
CHANGE = at(11)
SERVICES = 12
TENANTS = ("east", "north", "west")


def generate(draw: random.Random, days: int, every: int) -> Iterator[tuple[UsageWindow, Basis]]:
    """Generate a month of 12 services: restarts, reset counters, sleep, and each `every`th minute a window."""
    for number in range(SERVICES):
        tenant, basis = TENANTS[number % 3], ("instance" if number % 4 == 0 else "request")
        started = at(1) - draw.randrange(1, 10**6)
        for minute in range(number, days * 1440, every):
            start = at(1) + minute * MINUTE
            if draw.random() < 0.01:
                # The same container is started again, in good time before its next window.
                started = start - draw.randrange(1, 1000)
            frozen = draw.choice((0, 0, 0, 60_000, draw.randrange(60_000)))
            active = 0 if frozen == 60_000 else draw.randrange(60_000 - frozen)
            amounts = UsageAmounts(
                cpu_us=draw.randrange(10**8),
                memory_byte_ms=draw.randrange(10**14),
                active_ms=active,
                allocated_ms=60_000,
                frozen_ms=frozen,
                requests=draw.randrange(5000) if active else 0,
                egress_bytes=draw.randrange(10**7),
                cpu_limit_millis=draw.choice((250, 1000, 3999)),
                memory_limit_bytes=draw.choice((128 * 1024**2, GIB, 3 * GIB + 1)),
            )
            given = {"service": f"s{number}", "container": f"c{number}", "started_ms": started}
            yield window(start, amounts, tenant=tenant, **given), basis


def answer(month: list[tuple[UsageWindow, Basis]]) -> dict[str, Decimal]:
    """Add up what each tenant owes, with nothing of what is tried."""
    sums: dict[tuple[str, str, bool, str], int] = defaultdict(int)
    for each, basis in month:
        a, later = each.amounts, each.start_ms >= CHANGE
        found = {"egress": a.egress_bytes}
        awake = a.allocated_ms - a.frozen_ms
        if basis == "instance":
            found |= {"instance_cpu": awake * a.cpu_limit_millis, "instance_gib": a.allocated_ms * a.memory_limit_bytes}
        else:
            active = (a.active_ms + 99) // 100 * 100
            idle = max(0, awake - active)
            found |= {"active_cpu": active * a.cpu_limit_millis, "active_gib": active * a.memory_limit_bytes}
            found |= {"idle_cpu": idle * a.cpu_limit_millis}
            found |= {"idle_gib": (idle + a.frozen_ms) * a.memory_limit_bytes, "requests": a.requests}
        for name, amount in found.items():
            sums[each.tenant, each.service, later, name] += amount
    return {
        tenant: sum((_owed(tenant, service, sums) for service in _services(sums, tenant)), Decimal())
        for tenant in TENANTS
    }


def _services(sums: dict[tuple[str, str, bool, str], int], tenant: str) -> list[str]:
    return sorted({service for owner, service, _, _ in sums if owner == tenant})


_UNITS = {"cpu": 10**6, "gib": GIB * 1000, "requests": 1, "egress": GIB}
_FREE = {
    "active_cpu": "vcpu_seconds",
    "active_gib": "gib_seconds",
    "instance_cpu": "instance_vcpu_seconds",
    "instance_gib": "instance_gib_seconds",
    "requests": "requests",
    "egress": "egress_gib",
}


def _owed(tenant: str, service: str, sums: dict[tuple[str, str, bool, str], int]) -> Decimal:
    owed = Decimal()
    for later, prices in ((False, FIRST), (True, SECOND)):
        each = {
            "active_cpu": prices.active.vcpu_second, "active_gib": prices.active.gib_second,
            "idle_cpu": prices.idle.vcpu_second, "idle_gib": prices.idle.gib_second,
            "instance_cpu": prices.instance.vcpu_second, "instance_gib": prices.instance.gib_second,
            "requests": prices.million_requests / 10**6, "egress": prices.egress_gib,
        }  # fmt: skip
        lines: dict[str, Fraction] = defaultdict(Fraction)
        for name, price in each.items():
            kind = name.rpartition("_")[2]
            used = Fraction(sums[tenant, service, later, name], _UNITS[kind])
            if name in _FREE and used:
                pools = [
                    Fraction(sum(sums[tenant, s, when, name] for s in _services(sums, tenant)), _UNITS[kind])
                    for when in (False, True)
                ]
                free = Fraction(getattr(prices.free_tier, _FREE[name]))
                free = max(Fraction(0), free - pools[0]) if later else free
                used *= max(Fraction(0), pools[later] - free) / pools[later]
            lines[kind] += used * Fraction(price) * (100 - Fraction(DISCOUNTS.get(tenant, 0))) / 100
        owed += sum(_round(line) for line in lines.values())
    return owed


def _round(amount: Fraction) -> Decimal:
    # To more digits than any tie has, and then half to even, by the decimal library.
    exact = Context(prec=200).divide(Decimal(amount.numerator), Decimal(amount.denominator))
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN, context=Context(prec=200))


def replay(engine: Engine, month: list[tuple[UsageWindow, Basis]], draw: random.Random) -> None:
    """Write a month as a bad network does: shuffled, in batches of which each tenth comes again."""
    shuffled = list(month)
    draw.shuffle(shuffled)
    batches = [shuffled[at : at + 2000] for at in range(0, len(shuffled), 2000)]
    for batch in [*batches, *draw.sample(batches, 1 + len(batches) // 10)]:
        with writing(engine) as connection:
            take_windows(connection, batch)


@pytest.mark.slow
def test_replayed_month_is_exact_to_the_cent_by_three_paths(engine: Engine) -> None:
    draw = random.Random(given_seed())
    set_prices(engine, BOOK)
    month = list(generate(draw, days=31, every=20))
    is_late = [draw.random() < 0.02 for _ in month]
    late, on_time = (
        [each for each, of in zip(month, is_late, strict=True) if of is wanted] for wanted in (True, False)
    )
    replay(engine, on_time, draw)
    subject = Invoicing(engine, Issuer("acme", Decimal(19)), lambda: datetime(2026, 11, 1, 0, 5, tzinfo=UTC))
    expected = answer(on_time)
    first = {name: subject.issue(name, OCTOBER) for name in TENANTS}
    assert {name: each.net for name, each in first.items() if each} == expected
    assert all(amount > 1 for amount in expected.values())
    # What is late is charged in its own month, and the sum is what it had been on time.
    replay(engine, late, draw)
    notes = {name: subject.issue(name, OCTOBER) for name in TENANTS}
    assert {name: expected[name] + (each.net if each else 0) for name, each in notes.items()} == answer(month)
    with reading(engine) as connection:
        verified = verify_bills(connection, None, None)
        assert find_problems(connection) == []
    assert [each.differences for each in verified] == [()] * 6
    assert sum((each.recomputed for each in verified[3:]), Decimal()) == sum(answer(month).values())
