"""Journal in the database: postings, each written once, and what the accounts come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, text

from services.billing.domain.posting import Posting

_ACCOUNT = """
    INSERT INTO accounts (kind, tenant_id, currency) VALUES (:kind, :tenant, :currency)
    ON CONFLICT (kind, tenant_id, currency) DO NOTHING
"""
_FIND = "SELECT id FROM accounts WHERE kind = :kind AND tenant_id IS NOT DISTINCT FROM :tenant AND currency = :currency"
_POST = """
    INSERT INTO journal (key, kind, invoice_id, event_at) VALUES (:key, :kind, :invoice, :event_at)
    ON CONFLICT (key) DO NOTHING RETURNING id
"""
_SUBJECT = """
    SELECT i.id, i.tenant_id, i.currency FROM invoices AS i JOIN issuers AS s ON s.id = i.issuer_id
    WHERE s.name = :issuer AND i.number = :number
"""
_SETTLED = """
    SELECT coalesce(-sum(e.amount), 0.00) FROM invoices AS i
    JOIN journal AS j ON j.invoice_id = i.id AND j.kind IN ('payment', 'write_off')
    JOIN entries AS e ON e.journal_id = j.id
    JOIN accounts AS a ON a.id = e.account_id AND a.kind = 'receivable'
    WHERE i.tenant_id = :tenant AND i.month = :month
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """The bill that a posting is about, by the ledger's id, whose it is, and in which currency."""

    invoice_id: int
    tenant_id: int
    currency: str


def find_subject(connection: Connection, issuer: str, number: int) -> Subject | None:
    """Find a bill by its issuer and number."""
    row = connection.execute(text(_SUBJECT), {"issuer": issuer, "number": number}).one_or_none()
    return None if row is None else Subject(*row)


def sum_settled(connection: Connection, tenant_id: int, month: date) -> Decimal:
    """Sum what was paid or given up of a tenant's bills about a month, which begins on a day."""
    asked = {"tenant": tenant_id, "month": month}
    return Decimal(connection.execute(text(_SETTLED), asked).scalar_one())


def post(connection: Connection, posting: Posting, subject: Subject) -> bool:
    """Write a posting; False, and nothing is written, where one with its key is there."""
    accounts: list[tuple[int, Decimal]] = []
    for entry in posting.entries:
        tenant = subject.tenant_id if entry.account == "receivable" else None
        asked = {"kind": entry.account, "tenant": tenant, "currency": subject.currency}
        connection.execute(text(_ACCOUNT), asked)
        accounts.append((connection.execute(text(_FIND), asked).scalar_one(), entry.amount))
    number = connection.execute(
        text(_POST),
        {
            **{"key": posting.key, "kind": posting.kind, "invoice": subject.invoice_id},
            **{"event_at": posting.event_at},
        },
    ).scalar()
    if number is None:
        return False
    # In the order of accounts, so that two postings at once wait for each other and never in a circle.
    for account, amount in sorted(accounts):
        connection.execute(
            text("INSERT INTO entries (journal_id, account_id, amount) VALUES (:journal, :account, :amount)"),
            {"journal": number, "account": account, "amount": amount},
        )
    return True


# What can be wrong with a journal, each as a query that finds nothing in a sound one. The database's constraints hold
# them as rows are written; this is for what was written past them, such as by a restored copy.
_PROBLEMS = {
    "posting {} is not balanced": """
        SELECT j.key FROM journal AS j LEFT JOIN entries AS e ON e.journal_id = j.id
        GROUP BY j.id HAVING coalesce(sum(e.amount), 0) <> 0 OR count(e.id) < 2 ORDER BY j.id
    """,
    "account {} is not the sum of its entries": """
        SELECT a.id FROM accounts AS a LEFT JOIN entries AS e ON e.account_id = a.id
        GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0) OR a.version <> count(e.id) ORDER BY a.id
    """,
    "entry {} does not begin where the one before it ended": """
        SELECT id FROM (
            SELECT id, previous_balance, account_version,
                lag(current_balance, 1, 0) OVER w AS before, row_number() OVER w AS version
            FROM entries WINDOW w AS (PARTITION BY account_id ORDER BY account_version)
        ) AS e WHERE previous_balance <> before OR account_version <> version ORDER BY id
    """,
    "bill {} is not posted with its total": """
        SELECT i.number FROM invoices AS i
        LEFT JOIN journal AS j ON j.invoice_id = i.id AND j.kind = i.kind
        LEFT JOIN entries AS e ON e.journal_id = j.id
            AND e.account_id IN (SELECT id FROM accounts WHERE kind = 'receivable' AND tenant_id = i.tenant_id)
        GROUP BY i.id HAVING coalesce(sum(e.amount), 0) <> i.total ORDER BY i.number
    """,
    "bill {} is not the sum of its lines": """
        SELECT i.number FROM invoices AS i LEFT JOIN charges AS c ON c.invoice_id = i.id
        GROUP BY i.id HAVING coalesce(sum(c.amount), 0) <> i.net ORDER BY i.number
    """,
    "numbers of issuer {} have a gap": """
        SELECT s.name FROM issuers AS s LEFT JOIN invoices AS i ON i.issuer_id = s.id
        GROUP BY s.id HAVING count(i.id) <> s.last_number OR coalesce(max(i.number), 0) <> s.last_number ORDER BY s.name
    """,
}


def find_problems(connection: Connection) -> list[str]:
    """Say everything that is wrong with journal, bills and numbers."""
    return [
        message.format(row[0]) for message, query in _PROBLEMS.items() for row in connection.execute(text(query)).all()
    ]
