"""Database: what the platform's programs share of Postgres: the pool, waiting for it, a schema brought up to date."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text

# What a program has open at once; Postgres gives a connection some MiB, and has twenty for everybody.
POOL_SIZE = 4
# SQLAlchemy's own.
POOL_TIMEOUT_S = 30
# Postgres begins beside who asks it, and makes its files the first time.
PATIENCE_S = 120.0
RETRY_S = 0.25


def connect(url: str, pool_timeout_s: float = POOL_TIMEOUT_S) -> Engine:
    """Make the pool of connections to a database, `postgresql+psycopg://…`; nothing is connected yet.

    No prepared statements and no settings of a session: so that a pooler that gives a connection for a transaction
    alone, such as pgbouncer, may stand between.
    """
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        pool_pre_ping=True,
        connect_args={"prepare_threshold": None},
    )


def limit_statements(connection: Connection, seconds: int) -> None:
    """Bound how long each statement of the transaction may take."""
    connection.execute(text(f"SET LOCAL statement_timeout = '{seconds}s'"))


def lock_migration(connection: Connection, number: int) -> None:
    """Wait for whoever else brings a schema up to date by this number, until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": number})


def upgrade(connection: Connection, migrations: Path) -> None:
    """Take the steps of Alembic in a directory that are not yet taken, in the connection's transaction."""
    settings = Config()
    settings.set_main_option("script_location", str(migrations))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def when_it_answers(action: Callable[[], None], unavailable: type[Exception]) -> None:
    """Do what needs the database as soon as that answers; after PATIENCE_S `unavailable`, its silence, is raised."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return action()
        except unavailable:
            if time.monotonic() >= give_up:
                raise
            time.sleep(RETRY_S)


def reason_of(error: Exception) -> str:
    """Say in a line why the database, or its pool, refused."""
    return str(getattr(error, "orig", error)).partition("\n")[0].strip()
