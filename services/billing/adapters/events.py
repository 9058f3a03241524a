"""Events of the ledger: what its tables do not say by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text


def write_event(connection: Connection, kind: str, detail: Mapping[str, Any]) -> None:
    """Write down what happened, in the transaction in which it did."""
    written = "INSERT INTO events (kind, detail) VALUES (:kind, CAST(:detail AS jsonb))"
    connection.execute(text(written), {"kind": kind, "detail": json.dumps(detail)})


def count_events(connection: Connection) -> dict[str, int]:
    """Count what happened, by kind."""
    return {row[0]: row[1] for row in connection.execute(text("SELECT kind, count(*) FROM events GROUP BY kind"))}
