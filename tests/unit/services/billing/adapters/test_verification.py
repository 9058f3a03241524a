"""Verification: the database's own arithmetic, on ties and on months that nobody thought of."""

from __future__ import annotations

import dataclasses
import itertools
import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from runyard.contracts import UsageAmounts, UsageWindow
from runyard.pricing.metering import Basis
from runyard.pricing.prices import FreeTier, PriceBook, PricePeriod, Rates
from services.billing.adapters.bills import find_bills
from services.billing.adapters.database import reading
from services.billing.adapters.verification import recompute, verify_bills
from services.billing.invoicing import Invoicing, Issuer
from tests.harness.seeds import given_seed
from tests.unit.services.billing.world import BUSY, OCTOBER, at, set_prices, take, window

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def issue(engine: Engine, *tenants: str) -> Invoicing:
    subject = Invoicing(engine, Issuer("acme"), lambda: NOW)
    for tenant in tenants:
        subject.issue(tenant, OCTOBER)
    return subject


@pytest.mark.parametrize(
    ("requests", "cents"),
    [(500, "0.00"), (1500, "0.02"), (2500, "0.02"), (3500, "0.04"), (2501, "0.03"), (499, "0.00")],
)
def test_half_a_cent_goes_to_the_even_one_by_both_paths(engine: Engine, requests: int, cents: str) -> None:
    # A thousand requests are a cent, and nothing else costs anything.
    set_prices(engine, PriceBook("ties", (PricePeriod("2026-01-01", million_requests=Decimal(10)),)))
    take(engine, [window(amounts=dataclasses.replace(BUSY, requests=requests))])
    issue(engine, "shop")
    with reading(engine) as connection:
        (bill,) = find_bills(connection, None, None)
        assert bill.invoice.net == Decimal(cents)
        found = {key.item: str(amount) for key, amount in recompute(connection, bill).items()}
    assert found["requests"] == cents


def test_free_tier_that_no_number_divides_is_shared_alike_by_both_paths(engine: Engine) -> None:
    free = FreeTier(requests=Decimal("1000000"))
    set_prices(engine, PriceBook("thirds", (PricePeriod("2026-01-01", million_requests=Decimal(7), free_tier=free),)))
    many = dataclasses.replace(BUSY, requests=1_234_567)
    take(engine, [window(service=f"s{each}", container=f"c{each}", amounts=many) for each in range(7)])
    issue(engine, "shop")
    with reading(engine) as connection:
        (found,) = verify_bills(connection, "shop", OCTOBER)
    assert (found.differences, found.said) == ((), found.recomputed)
    assert found.said > 50


def test_verification_is_of_the_tenant_and_month_that_are_named(engine: Engine) -> None:
    set_prices(engine)
    take(engine, [window(), window(tenant="rival", container="c2")])
    issue(engine, "shop", "rival")
    with reading(engine) as connection:
        assert [each.tenant for each in verify_bills(connection, None, None)] == ["shop", "rival"]
        assert [each.tenant for each in verify_bills(connection, "rival", None)] == ["rival"]
        assert verify_bills(connection, "rival", OCTOBER.next) == []


def test_usage_that_came_after_a_bill_is_no_part_of_what_it_was_made_of(engine: Engine) -> None:
    set_prices(engine)
    take(engine, [window(at(1, 0, each)) for each in range(60)])
    issue(engine, "shop")
    take(engine, [window(at(2, 0, each)) for each in range(60)])
    with reading(engine) as connection:
        (found,) = verify_bills(connection, None, None)
    assert found.differences == ()


def draw_period(draw: random.Random, start: str, end: str) -> PricePeriod:
    def price(most: int, places: int) -> Decimal:
        return Decimal(draw.randrange(most)) / 10**places

    free = FreeTier(*(price(10**6, 2) * draw.choice((0, 1)) for _ in range(6)))
    rates = [Rates(price(10**5, 8), price(10**5, 9)) for _ in range(3)]
    return PricePeriod(start, end, *rates, price(10**4, 3), price(10**4, 4), Decimal(0), free)


def draw_window(draw: random.Random, number: int) -> tuple[UsageWindow, Basis]:
    frozen = draw.choice((0, draw.randrange(60_001)))
    amounts = UsageAmounts(
        active_ms=draw.choice((0, draw.randrange(60_001))),
        allocated_ms=draw.randrange(frozen, 60_001),
        frozen_ms=frozen,
        requests=draw.randrange(10**6),
        egress_bytes=draw.randrange(2**33),
        cpu_limit_millis=draw.randrange(1, 8000),
        memory_limit_bytes=draw.randrange(1, 2**35),
    )
    made = window(
        at(draw.randrange(1, 32), draw.randrange(24), draw.randrange(60)),
        amounts,
        service=f"s{number % 4}",
        container=f"c{number}",
        started_ms=0,
    )
    return made, draw.choice(("request", "instance"))


@pytest.mark.slow
def test_both_paths_agree_on_months_that_are_drawn(engine: Engine) -> None:
    """Several months of prices and usage that nobody thought of; each is a tenant of its own, as usage stays."""
    draw = random.Random(given_seed())
    for month in range(12):
        tenant = f"t{month}"
        first, last = sorted(draw.sample(range(2, 31), 2))
        days = ("2026-09-01", f"2026-10-{first:02}", f"2026-10-{last:02}", "")
        periods = tuple(draw_period(draw, start, end) for start, end in itertools.pairwise(days))
        discounts = {tenant: Decimal(draw.randrange(10_000)) / 100}
        set_prices(
            engine, PriceBook(tenant, periods, minimum_charge_ms=draw.choice((1, 100, 777)), discounts=discounts)
        )
        for number in range(60):
            made, basis = draw_window(draw, number)
            take(engine, [dataclasses.replace(made, tenant=tenant, container=f"{tenant}-{number}")], basis)
        issue(engine, tenant)
    with reading(engine) as connection:
        found = verify_bills(connection, None, None)
    assert [each.differences for each in found] == [()] * 12
    assert min(each.said for each in found) > 0
