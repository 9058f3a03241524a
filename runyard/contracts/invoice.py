"""Invoice messages: what a tenant is to pay for a month, line by line, and what corrects that later."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from runyard.codec import VERSION

InvoiceKind = Literal["invoice", "credit_note", "debit_note"]
Item = Literal["cpu", "memory", "requests", "egress", "storage"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What of a line has one price: used, due after the free tier (both to six places), and the price of one."""

    name: str
    unit: str
    used: Decimal
    due: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What a service used of one thing on the days `start` <= day < `end`, while one set of prices held.

    `amount` is the quantities due at their prices, less the discount, rounded to the cent, half to even. A line of a
    note names the line that it corrects by its position there, 0 being one that the invoice did not have.
    """

    position: int
    service: str
    item: Item
    start: str
    end: str
    amount: Decimal
    quantities: tuple[Quantity, ...] = ()
    corrects: int = 0


@dataclass(frozen=True, slots=True)
class Invoice:
    """A bill to a tenant about a month (`2026-11`); `net` is the sum of its lines, `total` that and the tax.

    A draft has no number, which is 0, and no `issued_at` (ISO, UTC): it is what an invoice issued now would say. A note
    names the number of the invoice that it corrects.
    """

    kind: InvoiceKind
    issuer: str
    number: int
    tenant: str
    month: str
    currency: str
    discount_percent: Decimal
    lines: tuple[InvoiceLine, ...]
    net: Decimal
    tax_percent: Decimal
    tax: Decimal
    total: Decimal
    issued_at: str = ""
    corrects: int = 0
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class DailyCost:
    """What a service's use of one day costs at list prices, before free tier and discount, to six places."""

    service: str
    day: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """All there is about a tenant's month: its bills, or a draft alone, what they come to, and its days.

    `pending` is what a note issued now would add for usage that came after the last bill, `settled` what was paid or
    given up of the bills.
    """

    tenant: str
    month: str
    currency: str
    bills: tuple[Invoice, ...]
    total: Decimal
    pending: Decimal
    days: tuple[DailyCost, ...] = ()
    settled: Decimal = Decimal("0.00")
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class VerifiedBill:
    """A bill, what it says, and what the usage that it was made of comes to by the second path."""

    number: int
    tenant: str
    month: str
    said: Decimal
    recomputed: Decimal
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of recomputing every bill; `problems` are of the journal and the numbers."""

    bills: tuple[VerifiedBill, ...]
    problems: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, to the cent."""
        return not self.problems and not any(each.differences for each in self.bills)
