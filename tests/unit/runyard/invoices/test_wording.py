"""Wording: how kinds, days and numbers are written wherever a bill is shown."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import get_args

import pytest

from runyard.contracts import InvoiceKind, Item
from runyard.invoices.wording import ITEMS, KINDS, amount, days, number, quantity, title
from runyard.pricing.rating import PARTS
from tests.unit.runyard.invoices.example import ACTIVE, DRAFT, IDLE, INVOICE, LINES, NOTE, REQUESTS


def test_every_kind_and_item_has_a_word() -> None:
    assert set(KINDS) == set(get_args(InvoiceKind))
    assert set(ITEMS) == set(get_args(Item)) == set(PARTS)


def test_bill_is_called_by_its_kind_and_number() -> None:
    credit = dataclasses.replace(NOTE, kind="credit_note")
    assert [title(each) for each in (INVOICE, DRAFT, NOTE, credit)] == [
        "Invoice 7",
        "Draft",
        "Debit note 9 to invoice 7",
        "Credit note 9 to invoice 7",
    ]


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-10-01", "2026-11-01", "1 to 31"),
        ("2026-10-01", "2026-10-02", "1 to 1"),
        ("2028-02-10", "2028-03-01", "10 to 29"),
        ("2026-12-31", "2027-01-01", "31 to 31"),
    ],
)
def test_days_include_the_last_one(start: str, end: str, said: str) -> None:
    assert days(dataclasses.replace(LINES[0], start=start, end=end)) == said


@pytest.mark.parametrize(
    ("value", "said"), [("0.00", "0.00"), ("1234567.80", "1,234,567.80"), ("-1234.50", "-1,234.50"), ("5", "5.00")]
)
def test_amount_has_its_cents_and_its_thousands_apart(value: str, said: str) -> None:
    assert amount(Decimal(value)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1800.000000", "1,800"),
        ("0.058594", "0.058594"),
        ("100", "100"),
        ("0.0000025", "0.0000025"),
        ("0.40", "0.4"),
        ("1E+3", "1,000"),
        ("0.000000", "0"),
    ],
)
def test_number_has_no_zeros_that_say_nothing(value: str, said: str) -> None:
    assert number(Decimal(value)) == said


def test_quantity_says_what_is_due_only_where_something_is_free() -> None:
    assert quantity(ACTIVE) == "active: 1,234,567.25 vCPU-seconds, 1,000,000 due"
    assert quantity(IDLE) == "idle: 60 vCPU-seconds"
    assert quantity(REQUESTS) == "2.5 million requests, 0.5 due"
