"""Statements and verifications as text for a terminal; equal ones give equal bytes."""

from __future__ import annotations

from runyard.contracts import Invoice, Statement, Verification
from runyard.invoices.wording import ITEMS, amount, days, quantity, title
from runyard.table import render_columns
from runyard.units import render_count

_AMOUNT_COLUMN = 3


def render_statement(statement: Statement) -> str:
    """Render all bills of a month, their sum where there are several, and what is not charged yet."""
    blocks = [_bill(each) for each in statement.bills]
    ending = []
    if len(statement.bills) > 1:
        ending.append(f"{statement.month} comes to {amount(statement.total)} {statement.currency}")
    if statement.settled:
        due = amount(statement.total - statement.settled)
        ending.append(f"paid or written off: {amount(statement.settled)} {statement.currency}, {due} due")
    if statement.pending:
        ending.append(
            f"usage that came later: {amount(statement.pending)} {statement.currency}, which a note will have: --issue"
        )
    return "\n\n".join([*blocks, *(["\n".join(ending)] if ending else [])]) + "\n"


def _bill(bill: Invoice) -> str:
    issued = f", issued {bill.issued_at}" if bill.issued_at else ""
    head = f"{title(bill)} of {bill.issuer} to {bill.tenant} for {bill.month}{issued}"
    rows = [("service", "item", "days", f"amount {bill.currency}", "of")]
    for line in bill.lines:
        details = "; ".join(
            f"{quantity(each)} at {each.price:f}{' less discount' if bill.discount_percent else ''}"
            for each in line.quantities
        )
        of = f"corrects line {line.corrects}; {details}" if line.corrects else details
        rows.append((line.service, ITEMS[line.item], days(line), amount(line.amount), of))
    sums = [("net", bill.net)]
    if bill.tax_percent:
        sums.append((f"tax {bill.tax_percent.normalize():f} %", bill.tax))
    sums.append(("total", bill.total))
    rows += [(name, "", "", amount(value), "") for name, value in sums]
    discount = [f"discount {bill.discount_percent.normalize():f} %"] if bill.discount_percent else []
    return "\n".join([head, *discount, *render_columns(rows, {_AMOUNT_COLUMN})])


def render_verification(verification: Verification) -> str:
    """Render whether every bill agrees with its usage, and what does not."""
    found = []
    for each in verification.bills:
        verdict = "differs" if each.differences else "agrees"
        found.append(
            f"{verdict}: bill {each.number} of {each.tenant} for {each.month}: "
            f"charged so far {amount(each.said)}, recomputed {amount(each.recomputed)}"
        )
        found += [f"  problem: {difference}" for difference in each.differences]
    found += [f"problem: {each}" for each in verification.problems]
    total = sum((len(each.differences) for each in verification.bills), len(verification.problems))
    count = render_count(len(verification.bills), "bill")
    found.append(f"{count} recomputed, {render_count(total, 'difference')}")
    return "\n".join(found) + "\n"
