"""Restriction: of a tenant's crossings the narrowest, until its month is over."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from runyard.contracts import Budget, BudgetStatus, Crossing, Restriction, Spend, Threshold
from services.billing.domain.restriction import restrict

WARN, BLOCK = Threshold(50), Threshold(80, action="block")
WIDE, NARROW = Threshold(90, action="limit", most=5), Threshold(95, "forecast", "limit", 2)
STOP = Threshold(120, action="stop")
JANUARY_UNIX_S = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())


def status(*crossed: Threshold, tenant: str = "shop") -> BudgetStatus:
    budget = Budget(Decimal(100), "USD", (WARN, BLOCK, WIDE, NARROW, STOP))
    crossings = tuple(Crossing(each, "2026-12-16T12:00:00+00:00", Decimal(99)) for each in crossed)
    return BudgetStatus(tenant, "2026-12", budget, Spend(Decimal(99), Decimal(99)), crossings)


def restricted(*crossed: Threshold) -> tuple[Restriction, ...]:
    return restrict([status(*crossed)]).restrictions


def test_what_warns_or_blocks_leaves_instances_alone() -> None:
    assert restricted() == restricted(WARN, BLOCK) == ()


def test_limit_holds_until_the_month_is_over_and_says_why() -> None:
    reason = "forecast cost of 2026-12 came to 95 % of its tenant's budget"
    assert restricted(WARN, NARROW) == (Restriction("shop", 2, JANUARY_UNIX_S, reason),)


def test_narrowest_of_several_holds_in_whatever_order_they_were_crossed() -> None:
    for crossed in ((WIDE, NARROW), (NARROW, WIDE)):
        assert [each.most for each in restricted(*crossed)] == [2]
    (stopped,) = restricted(STOP, WIDE, NARROW)
    assert (stopped.most, stopped.reason) == (0, "actual cost of 2026-12 came to 120 % of its tenant's budget")


def test_tenants_are_restricted_apart() -> None:
    found = restrict([status(WIDE), status(WARN, tenant="free"), status(STOP, tenant="team")])
    assert [(each.tenant, each.most) for each in found.restrictions] == [("shop", 5), ("team", 0)]
