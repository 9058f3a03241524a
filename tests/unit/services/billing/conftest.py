"""A ledger on a real Postgres: one server for all tests, and for each a database of its own with the schema in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from runyard.database import connect
from services.billing.adapters.database import migrate
from tests.harness.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def template(server: Postgres) -> str:
    """Name a database that has the schema and nothing in it, of which others are copies."""
    name = server.make_database()
    engine = connect(server.url(name))
    migrate(engine)
    engine.dispose()
    return name


@pytest.fixture
def engine(server: Postgres, template: str) -> Iterator[Engine]:
    """Give an empty ledger."""
    made = connect(server.url(server.make_database(template)))
    yield made
    made.dispose()
