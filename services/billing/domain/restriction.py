"""Restriction: what the orchestrator is asked for because of the thresholds that tenants have crossed; pure."""

from __future__ import annotations

from collections.abc import Iterable

from runyard.contracts import BudgetStatus, Restriction, Restrictions
from services.billing.domain.month import midnight, parse_month


def restrict(statuses: Iterable[BudgetStatus]) -> Restrictions:
    """Give of each tenant the narrowest that its crossings ask for, until the month is over."""
    return Restrictions(tuple(found for each in statuses if (found := _restrict(each)) is not None))


def _restrict(status: BudgetStatus) -> Restriction | None:
    crossed = [each.threshold for each in status.crossings if each.threshold.action in ("limit", "stop")]
    if not crossed:
        return None
    narrowest = min(crossed, key=lambda each: (each.most, -each.percent))
    until = midnight(parse_month(status.month).ends)
    reason = f"{narrowest.spending} cost of {status.month} came to {narrowest.percent} % of its tenant's budget"
    return Restriction(status.tenant, narrowest.most, int(until.timestamp()), reason)
