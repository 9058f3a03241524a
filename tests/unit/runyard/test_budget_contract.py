"""The budget's contract: when a threshold is crossed, and what the ledger and the orchestrator tell each other."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from runyard.contracts import (
    Budget,
    Budgets,
    BudgetStatus,
    BudgetStatuses,
    Crossing,
    Restriction,
    Restrictions,
    Spend,
    Threshold,
    decode,
    encode,
)
from runyard.errors import ContractError

HALF, FULL = Threshold(50), Threshold(100, "forecast", "limit", 2)
BUDGET = Budget(Decimal("20.00"), "EUR", (HALF, FULL))


def spend(actual: str, forecast: str) -> Spend:
    return Spend(Decimal(actual), Decimal(forecast))


@pytest.mark.parametrize(
    ("spent", "crossed"),
    [
        (spend("9.99", "19.99"), ()),
        (spend("10.00", "19.99"), (HALF,)),
        (spend("9.99", "20.00"), (FULL,)),
        (spend("30.00", "45.00"), (HALF, FULL)),
    ],
)
def test_threshold_is_crossed_to_the_cent_by_the_spending_that_it_is_of(
    spent: Spend, crossed: tuple[Threshold, ...]
) -> None:
    assert BUDGET.crossed(spent) == crossed


def test_whoever_spent_nothing_has_crossed_nothing_even_of_a_budget_of_nothing() -> None:
    nothing = Budget(Decimal(0), "EUR", (HALF, FULL))
    assert nothing.crossed(spend("0.00", "0.00")) == ()
    assert nothing.crossed(spend("0.00", "0.01")) == (FULL,)


def test_messages_come_back_as_they_were_sent_amounts_to_the_cent() -> None:
    crossing = Crossing(FULL, "2026-11-16T12:01:02+00:00", Decimal("20.10"))
    statuses = BudgetStatuses((BudgetStatus("shop", "2026-11", BUDGET, spend("9.90", "20.10"), (crossing,)),))
    restrictions = Restrictions((Restriction("shop", 2, 1_796_083_200, "why"),))
    assert decode(BudgetStatuses, encode(statuses)) == statuses
    assert decode(Budgets, encode(Budgets({"shop": BUDGET}))) == Budgets({"shop": BUDGET})
    assert decode(Restrictions, encode(restrictions)) == restrictions
    assert (decode(Budgets, "{}"), decode(Restrictions, "{}")) == (Budgets(), Restrictions())


@pytest.mark.parametrize(("field", "value"), [("action", "delete"), ("spending", "future"), ("percent", "half")])
def test_threshold_of_another_version_is_refused_by_its_field(field: str, value: str) -> None:
    message = json.loads(encode(Budgets({"shop": BUDGET})))
    message["tenants"]["shop"]["thresholds"][0][field] = value
    with pytest.raises(ContractError, match=field):
        decode(Budgets, json.dumps(message))
