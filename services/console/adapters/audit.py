"""Audit log: what was done and refused, in a table that is only added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Engine, text

from services.console.adapters.database import transaction

Outcome = Literal["done", "refused"]
# What is told by others is kept as far as anybody reads it.
LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, by e-mail address as far as it is known, and from which address of the network."""

    email: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    number: int
    at: datetime
    email: str
    action: str
    outcome: Outcome
    detail: str
    address: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log of one console."""

    engine: Engine

    def write(self, actor: Actor, action: str, outcome: Outcome, *, tenant: str = "", detail: str = "") -> None:
        """Add a line; one that concerns no tenant is told to nobody but who reads the database."""
        row = {"tenant": tenant or None, "email": actor.email, "action": action, "outcome": outcome}
        row |= {"detail": detail[:LONGEST_DETAIL], "address": actor.address}
        with transaction(self.engine) as connection:
            connection.execute(
                text(
                    "INSERT INTO console.audit (tenant, email, action, outcome, detail, address)"
                    " VALUES (:tenant, :email, :action, :outcome, :detail, :address)"
                ),
                row,
            )

    def page(self, tenant: str, before: int | None, limit: int) -> Sequence[Entry]:
        """Give a tenant's lines from new to old, those with smaller numbers than `before` if it is given."""
        with transaction(self.engine) as connection:
            found = connection.execute(
                text(
                    "SELECT id, at, email, action, outcome, detail, address FROM console.audit"
                    " WHERE tenant = :tenant AND (CAST(:before AS bigint) IS NULL OR id < :before)"
                    " ORDER BY id DESC LIMIT :limit"
                ),
                {"tenant": tenant, "before": before, "limit": limit},
            )
            return [Entry(*row) for row in found]
