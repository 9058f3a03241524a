"""Database: the connection to Postgres, the console's schema brought up to date, and foreign errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from services.console.refusal import SourceUnavailable

MIGRATIONS = Path(__file__).parents[1] / "migrations"
# Statements take milliseconds; Postgres has twenty connections for everybody.
POOL_SIZE = 4
STATEMENT_TIMEOUT_S = 10
# Two processes that migrate wait for each other, by a number that nobody else locks (the ledger's is one less).
_MIGRATION_LOCK = 7_203_003


def connect(url: str) -> Engine:
    """Make the pool of connections to a database, `postgresql+psycopg://…`; nothing is connected yet."""
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=STATEMENT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={"prepare_threshold": None},
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that is committed at the end, or undone as a whole; SourceUnavailable without a database."""
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_S}s'"))
            yield connection
    except (OperationalError, PoolExhausted) as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0].strip()
        raise SourceUnavailable(f"ask the console's database: {reason}") from error


def migrate(engine: Engine) -> None:
    """Bring the schema up to date, in one transaction; two that do so at once wait for each other."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    with transaction(engine) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        # Where the stack's database has it, the console may make none.
        if connection.execute(text("SELECT to_regnamespace('console') IS NULL")).scalar_one():
            connection.execute(text("CREATE SCHEMA console"))
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
