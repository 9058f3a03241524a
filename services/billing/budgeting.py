"""Budgeting: compares what tenants spend with their budgets, notes each crossing once, and has it carried out.

The ledger decides, for it knows money; the orchestrator carries out, for it owns counts. What cannot be read or rated
changes nothing: then no restriction is told, and those that were told last hold until the month is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlalchemy import Engine

from runyard.contracts import Budget, Budgets, BudgetStatus, BudgetStatuses, Restrictions
from runyard.errors import RunyardError
from runyard.journal import Journal
from services.billing.adapters.bills import find_owner, list_tenants
from services.billing.adapters.budgets import find_budget, find_crossings, note_budget, note_crossing
from services.billing.adapters.database import reading, writing
from services.billing.adapters.usage import taken_sequence
from services.billing.domain.month import Month, month_of, parse_month
from services.billing.domain.restriction import restrict
from services.billing.invoicing import Invoicing

# Between two looks for usage that is new, each of which is one query of a few rows.
LOOK_S = 2.0
# An orchestrator that has lost what it was told has it again after this.
REPEAT_S = 10.0


@dataclass(frozen=True)
class Budgeting:
    """The budgets of one ledger's tenants."""

    engine: Engine
    invoicing: Invoicing
    budgets: Budgets
    journal: Journal

    def state(self) -> BudgetStatuses:
        """Tell how budgets stand this month, of tenants that have usage, and change nothing."""
        month = month_of(self.invoicing.now().date())
        with reading(self.engine) as connection:
            tenants = self.budgets.tenants.keys() & set(list_tenants(connection))
        return BudgetStatuses(tuple(self._state(each, self.budgets.tenants[each], month) for each in sorted(tenants)))

    def judge(self) -> BudgetStatuses:
        """Note what is crossed and was not yet, each once a month and budget, and tell how budgets stand then."""
        return BudgetStatuses(tuple(map(self._judge, self.state().budgets)))

    def _state(self, tenant: str, budget: Budget, month: Month) -> BudgetStatus:
        spend = self.invoicing.spend(tenant, month)
        with reading(self.engine) as connection:
            known = find_budget(connection, find_owner(connection, tenant).id, budget)
            crossings = () if known is None else find_crossings(connection, known, month)
        return BudgetStatus(tenant, str(month), budget, spend, crossings)

    def _judge(self, found: BudgetStatus) -> BudgetStatus:
        month = parse_month(found.month)
        with writing(self.engine) as connection:
            known = note_budget(connection, find_owner(connection, found.tenant).id, found.budget)
            crossed = [(each, getattr(found.spend, each.spending)) for each in found.budget.crossed(found.spend)]
            new = [each for each in crossed if note_crossing(connection, known, month, each)]
            crossings = find_crossings(connection, known, month)
        for threshold, amount in new:
            told = {"percent": threshold.percent, "spending": threshold.spending, "action": threshold.action}
            self.journal.write("budget crossed", level="warning", tenant=found.tenant, amount=str(amount), **told)
        return replace(found, crossings=crossings)


class Carrying(Protocol):
    """Whoever carries restrictions out."""

    def restrict(self, restrictions: Restrictions) -> None:
        """Have these restrictions in the place of all that there were."""
        ...


@dataclass
class Watch:
    """Judges whenever there is new usage or a new month, and tells what comes of it."""

    budgeting: Budgeting
    orchestrator: Carrying
    clock: Callable[[], float] = time.monotonic
    # How budgets stood when they were judged last.
    latest: BudgetStatuses = field(default_factory=BudgetStatuses)
    _seen: tuple[int, str] | None = None
    _told: tuple[Restrictions, float] | None = field(default=None)

    def step(self) -> None:
        """Look once; RunyardError where the ledger or the orchestrator does not answer, and nothing has changed."""
        with reading(self.budgeting.engine) as connection:
            seen = taken_sequence(connection), str(month_of(self.budgeting.invoicing.now().date()))
        if seen != self._seen:
            self.latest, self._seen = self.budgeting.judge(), seen
        wanted, now = restrict(self.latest.budgets), self.clock()
        if self._told is None or self._told[0] != wanted or now - self._told[1] >= REPEAT_S:
            self.orchestrator.restrict(wanted)
            self._told = wanted, now

    def run(self, ending: threading.Event) -> None:
        """Look again and again until told to end; what fails is said once."""
        failed = False
        while not ending.wait(LOOK_S):
            try:
                self.step()
            except RunyardError as error:
                if not failed:
                    self.budgeting.journal.write("budgets not judged", level="error", error=str(error))
                failed = True
                continue
            if failed:
                self.budgeting.journal.write("budgets judged again")
            failed = False
