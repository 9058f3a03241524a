"""The database: its tables, its migrations, and what becomes of foreign errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import InternalError

from runyard.database import connect
from services.billing.adapters.database import (
    MIGRATIONS,
    LedgerError,
    LedgerUnavailable,
    migrate,
    reading,
    writing,
)
from tests.harness.postgres import Postgres
from tests.unit.services.billing.world import ask

# What other programs may count on, by the names that they know.
COLUMNS = {
    "users": {"id", "email", "name", "created_at"},
    "containers": {"id", "user_id", "image", "status"},
    "services": {"id", "name", "endpoint", "health"},
    "usage": {"id", "user_id", "service_id", "cpu_usage", "memory_usage"},
    "billing": {"id", "user_id", "amount", "period", "status"},
    "metrics": {"id", "service_id", "cpu_usage", "memory_usage", "timestamp"},
}
OTHERS = {
    "tenants",
    "revisions",
    "feeds",
    "prices",
    "discounts",
    "budgets",
    "crossings",
    "issuers",
    "invoices",
    "charges",
}
JOURNAL = {"accounts", "journal", "entries", "events"}


def test_ledger_has_its_tables_and_their_columns(engine: Engine) -> None:
    rows = ask(engine, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    assert found.keys() == {*COLUMNS, *OTHERS, *JOURNAL, "alembic_version"}
    assert {table: columns - found[table] for table, columns in COLUMNS.items()} == {table: set() for table in COLUMNS}


def test_money_is_never_a_float(engine: Engine) -> None:
    floats = ask(
        engine,
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type IN ('real', 'double precision', 'money')",
    )
    assert floats == []


def test_migrations_have_one_head_and_are_done_once(server: Postgres) -> None:
    script = Config()
    script.set_main_option("script_location", str(MIGRATIONS))
    (head,) = ScriptDirectory.from_config(script).get_heads()
    engine = connect(server.url(server.make_database()))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate(engine), range(4)))
    assert ask(engine, "SELECT version_num FROM alembic_version") == [(head,)]
    engine.dispose()


def test_reader_can_write_nothing(engine: Engine) -> None:
    with pytest.raises(InternalError, match="read-only transaction"), reading(engine) as connection:
        connection.execute(text("INSERT INTO users (name) VALUES ('x')"))


def test_reader_sees_one_moment(engine: Engine) -> None:
    with reading(engine) as connection:
        count = text("SELECT count(*) FROM users")
        before = connection.execute(count).scalar()
        with writing(engine) as other:
            other.execute(text("INSERT INTO users (name) VALUES ('late')"))
        assert connection.execute(count).scalar() == before == 0


def test_what_a_constraint_refuses_is_the_ledgers_error_in_one_line(engine: Engine) -> None:
    with pytest.raises(LedgerError) as raised, writing(engine) as connection:
        connection.execute(text("INSERT INTO users (name) VALUES (NULL)"))
    assert str(raised.value).startswith('write to the ledger: null value in column "name"')
    assert "\n" not in str(raised.value)


def test_connection_that_the_server_ends_is_unavailable_and_the_next_one_works(engine: Engine) -> None:
    with pytest.raises(LedgerUnavailable, match="terminating connection"), writing(engine) as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert ask(engine, "SELECT 1") == [(1,)]
