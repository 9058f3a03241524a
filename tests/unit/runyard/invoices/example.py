"""A month with an invoice and a note, made by hand for the tests of how it is shown."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from runyard.contracts import DailyCost, Invoice, InvoiceLine, Quantity, Statement

ACTIVE = Quantity("active", "vCPU-seconds", Decimal("1234567.250000"), Decimal("1000000.000000"), Decimal("0.000024"))
IDLE = Quantity("idle", "vCPU-seconds", Decimal("60.000000"), Decimal("60.000000"), Decimal("0.0000025"))
REQUESTS = Quantity("requests", "million requests", Decimal("2.500000"), Decimal("0.500000"), Decimal("0.40"))
LINES = (
    InvoiceLine(1, "api", "cpu", "2026-10-01", "2026-10-16", Decimal("24.00"), (ACTIVE, IDLE)),
    InvoiceLine(2, "api", "requests", "2026-10-01", "2026-10-16", Decimal("0.20"), (REQUESTS,)),
    InvoiceLine(3, "web", "cpu", "2026-10-16", "2026-11-01", Decimal("1200.30"), (ACTIVE,)),
)
INVOICE = Invoice(
    kind="invoice",
    issuer="acme",
    number=7,
    tenant="shop",
    month="2026-10",
    currency="USD",
    discount_percent=Decimal(0),
    lines=LINES,
    net=Decimal("1224.50"),
    tax_percent=Decimal("19.0"),
    tax=Decimal("232.66"),
    total=Decimal("1457.16"),
    issued_at="2026-11-01T00:05:00Z",
)
NOTE = dataclasses.replace(
    INVOICE,
    kind="debit_note",
    number=9,
    corrects=7,
    lines=(dataclasses.replace(LINES[2], position=1, amount=Decimal("0.60"), corrects=3),),
    net=Decimal("0.60"),
    tax=Decimal("0.11"),
    total=Decimal("0.71"),
)
DRAFT = dataclasses.replace(
    INVOICE, number=0, issued_at="", discount_percent=Decimal("12.50"), tax_percent=Decimal(0), tax=Decimal("0.00")
)
DAYS = (
    DailyCost("api", "2026-10-01", Decimal("1.000000")),
    DailyCost("web", "2026-10-01", Decimal("3.000000")),
    DailyCost("web", "2026-10-31", Decimal("2.000000")),
)


def statement(*bills: Invoice, pending: str = "0.00", days: tuple[DailyCost, ...] = DAYS) -> Statement:
    total = sum((each.total for each in bills), Decimal("0.00"))
    return Statement("shop", "2026-10", "USD", bills, total, Decimal(pending), days)
