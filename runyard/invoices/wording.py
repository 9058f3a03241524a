"""Wording: what bills, items and amounts are called wherever an invoice is shown."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from runyard.contracts import Invoice, InvoiceLine, Quantity

KINDS = {"invoice": "Invoice", "credit_note": "Credit note", "debit_note": "Debit note"}
ITEMS = {"cpu": "CPU", "memory": "Memory", "requests": "Requests", "egress": "Egress", "storage": "Storage"}
ROUNDING = "Each line is rounded to the cent, half to even; everything else is a plain sum of lines."


def title(bill: Invoice) -> str:
    """Name a bill: `Invoice 7`, `Draft`, `Debit note 8 to invoice 7`."""
    if not bill.number:
        return "Draft"
    of = f" to invoice {bill.corrects}" if bill.corrects else ""
    return f"{KINDS[bill.kind]} {bill.number}{of}"


def days(line: InvoiceLine) -> str:
    """Say the days of a line, the last one included: `1 to 15`."""
    last = date.fromisoformat(line.end) - timedelta(days=1)
    return f"{date.fromisoformat(line.start).day} to {last.day}"


def amount(value: Decimal) -> str:
    """Write an amount with its thousands apart: `1,234.50`."""
    return f"{value:,.2f}"


def number(value: Decimal) -> str:
    """Write a quantity with its thousands apart and without zeros that say nothing: `1,800`, `0.058594`."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(each: Quantity) -> str:
    """Say what was used, what of it is due, and at which price."""
    free = "" if each.due == each.used else f", {number(each.due)} due"
    name = "" if each.name in ITEMS else f"{each.name}: "
    return f"{name}{number(each.used)} {each.unit}{free}"
