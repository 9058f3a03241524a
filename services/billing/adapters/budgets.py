"""Budgets in the database: what a tenant's was, as it became known, and which of its thresholds were crossed when."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

from sqlalchemy import Connection, text

from runyard.codec import encode
from runyard.contracts import Budget, Crossing, Threshold
from services.billing.domain.month import Month

_KNOWN = """
    SELECT id, amount = :amount AND currency = :currency AND thresholds = CAST(:thresholds AS jsonb) AS same
    FROM budgets WHERE tenant_id = :tenant ORDER BY id DESC LIMIT 1
"""
_INSERT = """
    INSERT INTO budgets (tenant_id, amount, currency, thresholds)
    VALUES (:tenant, :amount, :currency, CAST(:thresholds AS jsonb)) RETURNING id
"""
_CROSSINGS = """
    SELECT percent, spending, action, most, at, amount FROM crossings
    WHERE budget_id = :budget AND month = :month ORDER BY id
"""
_CROSS = """
    INSERT INTO crossings (budget_id, month, percent, spending, action, most, amount)
    VALUES (:budget, :month, :percent, :spending, :action, :most, :amount)
    ON CONFLICT (budget_id, month, percent, spending, action) DO NOTHING
"""


def find_budget(connection: Connection, tenant_id: int, budget: Budget) -> int | None:
    """Find the id of a tenant's budget; None unless it is the one that was known last."""
    row = connection.execute(text(_KNOWN), _asked(tenant_id, budget)).one_or_none()
    return row.id if row is not None and row.same else None


def note_budget(connection: Connection, tenant_id: int, budget: Budget) -> int:
    """Note a tenant's budget as known from now on, unless it is known already, and give its id."""
    known = find_budget(connection, tenant_id, budget)
    return known or int(connection.execute(text(_INSERT), _asked(tenant_id, budget)).scalar_one())


def find_crossings(connection: Connection, budget_id: int, month: Month) -> tuple[Crossing, ...]:
    """Give what was crossed of a budget in a month, in the order in which it was."""
    rows = connection.execute(text(_CROSSINGS), {"budget": budget_id, "month": month.starts})
    return tuple(
        Crossing(
            Threshold(row.percent, row.spending, row.action, row.most), row.at.astimezone(UTC).isoformat(), row.amount
        )
        for row in rows
    )


def note_crossing(connection: Connection, budget_id: int, month: Month, crossed: tuple[Threshold, Decimal]) -> bool:
    """Note that an amount came to a threshold; False where that is noted already."""
    threshold, amount = crossed
    asked = {
        **{"budget": budget_id, "month": month.starts, "percent": threshold.percent, "most": threshold.most},
        **{"spending": threshold.spending, "action": threshold.action, "amount": amount},
    }
    return connection.execute(text(_CROSS), asked).rowcount > 0


def _asked(tenant_id: int, budget: Budget) -> dict[str, object]:
    thresholds = encode(list(budget.thresholds))
    return {"tenant": tenant_id, "amount": budget.amount, "currency": budget.currency, "thresholds": thresholds}
