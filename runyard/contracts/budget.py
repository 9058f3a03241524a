"""Budget messages: what a tenant may spend in a month, what happens on the way there, and what holds because of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from runyard.codec import VERSION

# What was spent so far, or what the month will come to if it goes on as it did.
Spending = Literal["actual", "forecast"]
# `warn` tells alone; `block` refuses updates that bring the tenant new revisions; `limit` bounds how many instances
# each of its services has, and `stop` leaves them none. Each of them tells, too.
BudgetAction = Literal["warn", "block", "limit", "stop"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A part of a budget in percent, of which spending it is, and what is done when that comes there.

    `most` is how many instances a service has at most, where the action is to limit it.
    """

    percent: int
    spending: Spending = "actual"
    action: BudgetAction = "warn"
    most: int = 0


@dataclass(frozen=True, slots=True)
class Spend:
    """What a tenant's month came to so far, and what it will come to, before tax, to the cent."""

    actual: Decimal
    forecast: Decimal


@dataclass(frozen=True, slots=True)
class Budget:
    """What a tenant may cost in a month, and what happens on the way there."""

    amount: Decimal
    currency: str
    thresholds: tuple[Threshold, ...] = ()

    def crossed(self, spend: Spend) -> tuple[Threshold, ...]:
        """Give the thresholds that spending has come to; one that spent nothing has crossed none, whatever they are."""
        return tuple(each for each in self.thresholds if self._is_crossed(each, getattr(spend, each.spending)))

    def _is_crossed(self, threshold: Threshold, amount: Decimal) -> bool:
        return amount > 0 and amount * 100 >= self.amount * threshold.percent


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets that have thresholds, by tenant, as the manifests tell them to the ledger."""

    tenants: Mapping[str, Budget] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that was crossed: when (ISO, UTC), and what had been spent, or was forecast, then."""

    threshold: Threshold
    at: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """How a tenant's month (`2026-11`) stands against its budget, and what it has crossed of it in that month."""

    tenant: str
    month: str
    budget: Budget
    spend: Spend
    crossings: tuple[Crossing, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetStatuses:
    """The budgets with thresholds of the tenants that have usage, by their names."""

    budgets: tuple[BudgetStatus, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Restriction:
    """How many instances each service of a tenant may have at most, until a time in seconds since 1970, and why.

    With `most` 0 there are none. A revision's own minimum is kept by any other number.
    """

    tenant: str
    most: int
    until_unix_s: int
    reason: str


@dataclass(frozen=True, slots=True)
class Restrictions:
    """All restrictions that hold: what is not among them is lifted."""

    restrictions: tuple[Restriction, ...] = ()
    version: int = VERSION
