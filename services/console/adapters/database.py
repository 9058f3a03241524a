"""Database: the connection to Postgres, the console's schema brought up to date, and foreign errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from runyard import database
from services.console.refusal import SourceUnavailable

MIGRATIONS = Path(__file__).parents[1] / "migrations"
# Statements take milliseconds.
STATEMENT_TIMEOUT_S = 10
# Two processes that migrate wait for each other, by a number that nobody else locks (the ledger's is one less).
_MIGRATION_LOCK = 7_203_003


def connect(url: str) -> Engine:
    """Make the pool of connections to the database; nothing is connected yet."""
    return database.connect(url, pool_timeout_s=STATEMENT_TIMEOUT_S)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that is committed at the end, or undone as a whole; SourceUnavailable without a database."""
    try:
        with engine.begin() as connection:
            database.limit_statements(connection, STATEMENT_TIMEOUT_S)
            yield connection
    except (OperationalError, PoolExhausted) as error:
        raise SourceUnavailable(f"ask the console's database: {database.reason_of(error)}") from error


def migrate(engine: Engine) -> None:
    """Bring the schema up to date, in one transaction; two that do so at once wait for each other."""
    with transaction(engine) as connection:
        database.lock_migration(connection, _MIGRATION_LOCK)
        # Where the stack's database has it, the console may make none.
        if connection.execute(text("SELECT to_regnamespace('console') IS NULL")).scalar_one():
            connection.execute(text("CREATE SCHEMA console"))
        database.upgrade(connection, MIGRATIONS)
