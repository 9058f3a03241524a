"""Command `budget`: what tenants have spent of their budgets this month, and what was done because of it."""

from __future__ import annotations

import json

import click

from runyard import table
from runyard.cli.output import Output, reporting
from runyard.codec import encode
from runyard.contracts import BudgetStatus, BudgetStatuses, Crossing, Threshold
from runyard.errors import NotFound
from runyard.host import Engine
from runyard.host.ledger import Ledger

_HEAD = ("at", "of cost", "does", "crossed")


@click.command()
@click.argument("tenant", required=False)
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose ledger is asked.")
@reporting()
def budget(out: Output, tenant: str | None, stack: str) -> None:
    """Show what TENANT, or every tenant, has spent of its budget this month, and which thresholds it has crossed.

    Of budgets with thresholds, and tenants with usage. The forecast is the month if it goes on as it did.
    """
    with Engine() as engine:
        found = choose(Ledger(engine, stack).budgets(), tenant)
    out.show(lambda: json.loads(encode(found)), lambda: "\n\n".join(map(render_text, found.budgets)) or "no budgets")


def choose(found: BudgetStatuses, tenant: str | None) -> BudgetStatuses:
    """Leave the budget of a tenant, or all where none is named; NotFound names those that there are."""
    chosen = tuple(each for each in found.budgets if tenant in (None, each.tenant))
    if tenant is not None and not chosen:
        known = ", ".join(each.tenant for each in found.budgets) or "none"
        raise NotFound(f"budget {tenant}: must be of a tenant with usage and a budget with thresholds ({known})")
    return BudgetStatuses(chosen)


def render_text(status: BudgetStatus) -> str:
    """Render a budget in a line, and its thresholds in a line each."""
    of, spend = status.budget, status.spend
    head = (
        f"{status.tenant}, {status.month}: {spend.actual} of {of.amount:.2f} {of.currency} spent, "
        f"{spend.forecast} by the month's end"
    )
    crossed = {each.threshold: each for each in status.crossings}
    rows = [_HEAD, *(_row(each, crossed.get(each)) for each in of.thresholds)]
    return "\n".join([head, *(f"  {line}" for line in table.render_columns(rows, {0}))])


def _row(threshold: Threshold, crossing: Crossing | None) -> tuple[str, str, str, str]:
    does = f"limit to {threshold.most}" if threshold.action == "limit" else threshold.action
    when = "-" if crossing is None else f"{crossing.at[:16].replace('T', ' ')}Z, at {crossing.amount}"
    return f"{threshold.percent} %", threshold.spending, does, when
