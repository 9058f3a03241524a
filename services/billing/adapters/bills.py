"""Bills in the database: invoices and notes with their lines, written once and read back as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from runyard.codec import decode, encode
from runyard.contracts import Invoice, InvoiceKind, InvoiceLine, Quantity
from runyard.errors import NotFound
from services.billing.domain.charge import Key
from services.billing.domain.month import Month


@dataclass(frozen=True, slots=True)
class Owner:
    """A tenant of the ledger, and who pays for it."""

    id: int
    name: str
    user_id: int


@dataclass(frozen=True, slots=True)
class Sources:
    """What a bill is made of: the book as known from a moment on, and usage up to a row."""

    prices_known_from: datetime
    usage_upto: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill that was issued: its id, what it says, what it was made of, and its lines by what they are about."""

    id: int
    invoice: Invoice
    sources: Sources
    lines: Mapping[Key, tuple[int, InvoiceLine]]


def find_owner(connection: Connection, tenant: str) -> Owner:
    """Find a tenant; NotFound if the ledger has nothing of it."""
    asked = {"tenant": tenant}
    row = connection.execute(text("SELECT id, name, user_id FROM tenants WHERE name = :tenant"), asked).one_or_none()
    if row is None:
        raise NotFound(f"tenant {tenant}: must be one of which the ledger has usage")
    return Owner(*row)


def list_tenants(connection: Connection) -> list[str]:
    """List the tenants of which there is usage, by name."""
    return list(connection.execute(text("SELECT name FROM tenants ORDER BY name")).scalars())


_INSERT = """
    INSERT INTO invoices (issuer_id, kind, tenant_id, user_id, month, currency, net, tax_percent, tax, total,
        prices_known_from, usage_upto, corrects_id, issued_at)
    VALUES (:issuer, :kind, :tenant, :user, :month, :currency, :net, :tax_percent, :tax, :total,
        :prices_known_from, :usage_upto, :corrects, clock_timestamp())
    RETURNING id, number, issued_at
"""
_INSERT_LINE = """
    INSERT INTO charges
        (invoice_id, position, service_id, prices_id, starts, ends, item, amount, quantities, corrects_id)
    VALUES (:invoice, :position, (SELECT id FROM services WHERE tenant_id = :tenant AND name = :service),
        :prices, :starts, :ends, :item, :amount, CAST(:quantities AS jsonb), :corrects)
"""


def lock_issuer(connection: Connection, name: str) -> int:
    """Find or make an issuer and hold its row until the transaction ends: one bill after the other."""
    asked = {"name": name}
    connection.execute(text("INSERT INTO issuers (name) VALUES (:name) ON CONFLICT (name) DO NOTHING"), asked)
    return int(connection.execute(text("SELECT id FROM issuers WHERE name = :name FOR UPDATE"), asked).scalar_one())


@dataclass(frozen=True, slots=True)
class Making:
    """What a bill needs beside what it says: its issuer's id, its owner, its sources, and what it corrects."""

    issuer_id: int
    owner: Owner
    sources: Sources
    corrected: Bill | None = None


def write_bill(
    connection: Connection, draft: Invoice, about: Mapping[Key, InvoiceLine], making: Making
) -> tuple[int, Invoice]:
    """Write a bill with its lines, and give its id and what it says now that it has a number."""
    owner, sources, corrected = making.owner, making.sources, making.corrected
    row = connection.execute(
        text(_INSERT),
        {
            **{"issuer": making.issuer_id, "kind": draft.kind, "tenant": owner.id, "user": owner.user_id},
            **{"month": f"{draft.month}-01", "currency": draft.currency, "net": draft.net},
            **{"tax_percent": draft.tax_percent, "tax": draft.tax, "total": draft.total},
            **{"prices_known_from": sources.prices_known_from, "usage_upto": sources.usage_upto},
            "corrects": corrected.id if corrected else None,
        },
    ).one()
    for key, line in about.items():
        known = corrected.lines.get(key) if corrected else None
        connection.execute(
            text(_INSERT_LINE),
            {
                **{"invoice": row.id, "position": line.position, "tenant": owner.id, "service": line.service},
                **{"prices": key.prices_id, "starts": line.start, "ends": line.end, "item": line.item},
                **{"amount": line.amount, "quantities": json.dumps([encode(each) for each in line.quantities])},
                "corrects": known[0] if known else None,
            },
        )
    return row.id, replace(draft, number=row.number, issued_at=_moment(row.issued_at))


_FIND = """
    SELECT i.id, i.kind, s.name AS issuer, i.number, t.name AS tenant, i.month, i.currency, i.net, i.tax_percent, i.tax,
        i.total, i.issued_at, i.prices_known_from, i.usage_upto, coalesce(c.number, 0) AS corrects,
        coalesce(d.percent, 0) AS discount
    FROM invoices AS i
    JOIN issuers AS s ON s.id = i.issuer_id
    JOIN tenants AS t ON t.id = i.tenant_id
    LEFT JOIN invoices AS c ON c.id = i.corrects_id
    LEFT JOIN discounts AS d ON d.known_from = i.prices_known_from AND d.tenant = t.name
    WHERE (CAST(:tenant AS text) IS NULL OR t.name = :tenant) AND (CAST(:month AS date) IS NULL OR i.month = :month)
    ORDER BY i.id
"""
_FIND_LINES = """
    SELECT c.id, c.position, s.name AS service, c.prices_id, c.starts, c.ends, c.item, c.amount, c.quantities,
        coalesce(o.position, 0) AS corrects
    FROM charges AS c JOIN services AS s ON s.id = c.service_id LEFT JOIN charges AS o ON o.id = c.corrects_id
    WHERE c.invoice_id = :invoice ORDER BY c.position
"""


def find_bills(connection: Connection, tenant: str | None, month: Month | None) -> list[Bill]:
    """Find bills in the order in which they were issued; of every tenant or month where none is given."""
    asked = {"tenant": tenant, "month": month.starts if month else None}
    return [_bill(connection, dict(row)) for row in connection.execute(text(_FIND), asked).mappings().all()]


def _bill(connection: Connection, row: Mapping[str, Any]) -> Bill:
    lines = {}
    for each in connection.execute(text(_FIND_LINES), {"invoice": row["id"]}).mappings():
        line = InvoiceLine(
            position=each["position"],
            service=each["service"],
            item=each["item"],
            start=each["starts"].isoformat(),
            end=each["ends"].isoformat(),
            amount=each["amount"],
            quantities=tuple(decode(Quantity, quantity) for quantity in each["quantities"]),
            corrects=each["corrects"],
        )
        lines[Key(line.service, each["prices_id"], line.item)] = (int(each["id"]), line)
    kind: InvoiceKind = row["kind"]
    invoice = Invoice(
        kind=kind,
        issuer=row["issuer"],
        number=row["number"],
        tenant=row["tenant"],
        month=row["month"].strftime("%Y-%m"),
        currency=row["currency"],
        discount_percent=Decimal(row["discount"]),
        lines=tuple(line for _, line in lines.values()),
        net=row["net"],
        tax_percent=row["tax_percent"],
        tax=row["tax"],
        total=row["total"],
        issued_at=_moment(row["issued_at"]),
        corrects=row["corrects"],
    )
    return Bill(row["id"], invoice, Sources(row["prices_known_from"], row["usage_upto"]), lines)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
