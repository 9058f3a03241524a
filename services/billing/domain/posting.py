"""Postings: what bills and payments do to the accounts of the journal, by double entry; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from runyard.contracts import InvoiceKind
from runyard.errors import UsageError
from runyard.pricing.rating import ZERO

AccountKind = Literal["receivable", "revenue", "tax", "cash", "write_off"]
PostingKind = Literal["invoice", "credit_note", "debit_note", "payment", "write_off"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a posting does to one account: debits are above zero, credits below. A receivable is its tenant's."""

    account: AccountKind
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """Entries that belong together. `key` is its author's: a second posting with it changes nothing."""

    key: str
    kind: PostingKind
    event_at: datetime
    entries: tuple[Entry, ...]


def post_bill(key: str, kind: InvoiceKind, event_at: datetime, net: Decimal, tax: Decimal) -> Posting | None:
    """Post a bill: the tenant owes its total, revenue and tax have it; None when it is about nothing."""
    entries = _without_nothing(Entry("receivable", net + tax), Entry("revenue", -net), Entry("tax", -tax))
    return Posting(key, kind, event_at, entries) if entries else None


def post_settlement(key: str, kind: Literal["payment", "write_off"], event_at: datetime, amount: Decimal) -> Posting:
    """Post what settles an invoice: paid, or given up; UsageError unless it is an amount of whole cents above zero."""
    if amount <= 0 or amount != amount.quantize(ZERO):
        raise UsageError(f"amount: must be above 0 and of whole cents, got {amount}")
    side: AccountKind = "cash" if kind == "payment" else "write_off"
    return Posting(key, kind, event_at, (Entry("receivable", -amount), Entry(side, amount)))


def _without_nothing(*entries: Entry) -> tuple[Entry, ...]:
    return tuple(each for each in entries if each.amount)
