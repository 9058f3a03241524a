"""Budgets with thresholds, and what was crossed of them, in the SQL beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add to the tables, in the caller's transaction, by the driver itself: it takes signs of percent as they are."""
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
