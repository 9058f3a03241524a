"""Revisions in the database: how each is billed, which its manifest says and no window does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, text

from runyard.pricing.metering import Basis

# By tenant, service and the revision's name.
Bases = Mapping[tuple[str, str, str], Basis]


def record_bases(connection: Connection, by_instance: Iterable[tuple[str, str, str]]) -> None:
    """Note revisions that are billed by instance; one that was noted stays so, as a revision never changes."""
    noted = """
        INSERT INTO revisions (tenant, service, name, basis) VALUES (:tenant, :service, :name, 'instance')
        ON CONFLICT (tenant, service, name) DO NOTHING
    """
    for tenant, service, name in sorted(by_instance):
        connection.execute(text(noted), {"tenant": tenant, "service": service, "name": name})


def known_bases(connection: Connection) -> Bases:
    """Give how revisions are billed that are not billed by request."""
    found = connection.execute(text("SELECT tenant, service, name, basis FROM revisions WHERE basis <> 'request'"))
    return {(row.tenant, row.service, row.name): row.basis for row in found}
