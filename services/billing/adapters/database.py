"""Database: the connection to Postgres, its schema brought up to date, and foreign errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from runyard.database import limit_statements, lock_migration, reason_of, upgrade
from runyard.errors import RunyardError

MIGRATIONS = Path(__file__).parents[1] / "migrations"
# A statement of the ledger takes milliseconds, and that of a large month some seconds; more is a fault.
STATEMENT_TIMEOUT_S = 120
# Two processes that migrate wait for each other, by a number that nobody else locks.
_MIGRATION_LOCK = 7_203_002


class LedgerError(RunyardError):
    """What the ledger refuses: a change of what is append-only, or a posting that is not balanced."""


class LedgerUnavailable(RunyardError):
    """The database does not answer; what was under way is as if it had never begun, and may be done again."""


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that is committed at the end, or undone as a whole.

    Raises LedgerUnavailable where the database went away: whether it was committed is then not known, which is why all
    that is written has a key of its own. Raises LedgerError for what a constraint refuses.
    """
    with _translated(), engine.begin() as connection:
        limit_statements(connection, STATEMENT_TIMEOUT_S)
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that sees one moment of the ledger and can change nothing; errors as in `writing`."""
    with _translated(), engine.begin() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        limit_statements(connection, STATEMENT_TIMEOUT_S)
        yield connection


def migrate(engine: Engine) -> None:
    """Bring the schema up to date, in one transaction; two that do so at once wait for each other."""
    with writing(engine) as connection:
        lock_migration(connection, _MIGRATION_LOCK)
        upgrade(connection, MIGRATIONS)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise LedgerError(f"write to the ledger: {reason_of(error)}") from error
    except DBAPIError as error:
        # An OperationalError is also one that Postgres gives before it goes, such as "terminating connection".
        if error.connection_invalidated or isinstance(error, OperationalError):
            raise LedgerUnavailable(f"ask the ledger's database: {reason_of(error)}") from error
        raise
