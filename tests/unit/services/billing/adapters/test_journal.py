"""Journal: whatever several writers do at once, every posting balances, counts once, and the accounts add up."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from runyard.database import connect
from services.billing.adapters.database import LedgerError, reading, writing
from services.billing.adapters.journal import Subject, find_problems, post
from services.billing.domain.posting import Entry, Posting, post_settlement
from services.billing.invoicing import Invoicing, Issuer
from tests.harness.postgres import Postgres
from tests.unit.services.billing.world import OCTOBER, ask, minutes, set_prices, take

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TENANTS = ("shop", "rival")


def invoiced(engine: Engine) -> Invoicing:
    """Issue the invoices of two tenants: numbers 1 and 2, each of 0.67."""
    set_prices(engine)
    take(engine, [each for name in TENANTS for each in minutes(60, tenant=name, container=name)])
    subject = Invoicing(engine, Issuer("acme"), lambda: NOW)
    for name in TENANTS:
        subject.issue(name, OCTOBER)
    return subject


@pytest.mark.parametrize(
    "entries",
    [
        (Entry("receivable", Decimal(1)),),
        (Entry("receivable", Decimal(1)), Entry("cash", Decimal(-2))),
        (),
    ],
    ids=["one_side", "unequal", "empty"],
)
def test_posting_that_does_not_balance_is_refused_as_a_whole(engine: Engine, entries: tuple[Entry, ...]) -> None:
    invoiced(engine)
    before = ask(engine, "SELECT id, balance, version FROM accounts ORDER BY id")
    with pytest.raises(LedgerError, match="posting bad: must have two entries or more"), writing(engine) as connection:
        post(connection, Posting("bad", "payment", NOW, entries), Subject(1, 1, "USD"))
    assert ask(engine, "SELECT id, balance, version FROM accounts ORDER BY id") == before


def test_entries_of_two_currencies_are_no_posting(engine: Engine) -> None:
    invoiced(engine)
    posting = """
        WITH made AS (INSERT INTO accounts (kind, currency) VALUES ('cash', 'EUR'), ('cash', 'USD') RETURNING id),
        posted AS (INSERT INTO journal (key, kind, invoice_id, event_at) VALUES ('x', 'payment', 1, now()) RETURNING id)
        SELECT posted.id, min(made.id), max(made.id) FROM made, posted GROUP BY posted.id
    """
    entries = "INSERT INTO entries (journal_id, account_id, amount) VALUES (:posting, :one, 1), (:posting, :other, -1)"

    def write() -> None:
        with writing(engine) as connection:
            found = connection.execute(text(posting)).one()
            connection.execute(text(entries), dict(zip(("posting", "one", "other"), found, strict=True)))

    with pytest.raises(LedgerError, match="got 2 of 2, sum 0"):
        write()


def test_entries_are_not_added_to_a_posting_later(engine: Engine) -> None:
    invoiced(engine)
    with pytest.raises(LedgerError, match="posting 1: entries must be written with it"), writing(engine) as connection:
        connection.execute(text("INSERT INTO entries (journal_id, account_id, amount) VALUES (1, 1, 5)"))


def test_account_is_not_made_with_money_in_it(engine: Engine) -> None:
    with pytest.raises(LedgerError, match="its balance moves by entries alone"), writing(engine) as connection:
        connection.execute(text("INSERT INTO accounts (kind, currency, balance) VALUES ('cash', 'USD', 5)"))


def test_problems_of_a_journal_that_was_written_past_its_constraints_are_told(engine: Engine) -> None:
    invoiced(engine)
    with writing(engine) as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM entries WHERE id = 1"))
        connection.execute(text("DELETE FROM invoices WHERE number = 2"))
    with reading(engine) as connection:
        problems = find_problems(connection)
    assert "posting acme/1 is not balanced" in problems
    assert "numbers of issuer acme have a gap" in problems
    assert "bill 1 is not posted with its total" in problems


class Bookkeeping(RuleBasedStateMachine):
    """Settlements of two invoices by several writers at once, against a model that adds up by itself."""

    new_engine: Callable[[], Engine]

    @initialize()
    def begin(self) -> None:
        self.engine = type(self).new_engine()
        self.subject = invoiced(self.engine)
        self.owed = {1: Decimal("0.67"), 2: Decimal("0.67")}
        self.keys: set[str] = set()
        self.versions = 2

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()

    @rule(
        settlements=st.lists(
            st.tuples(
                st.integers(0, 12),
                st.sampled_from([1, 2]),
                st.sampled_from(["payment", "write_off"]),
                st.integers(1, 500),
            ),
            min_size=1,
            max_size=8,
        )
    )
    def settle_at_once(self, settlements: list[tuple[int, int, str, int]]) -> None:
        def settle(each: tuple[int, int, str, int]) -> tuple[str, int, Decimal] | None:
            name, number, kind, cents = each
            amount = Decimal(cents) / 100
            return (f"k{name}", number, amount) if self.subject.settle(f"k{name}", number, kind, amount) else None

        with ThreadPoolExecutor(4) as pool:
            for done in pool.map(settle, settlements):
                if done is not None:
                    key, number, amount = done
                    # Of those with one key, one alone was written, whichever came first.
                    assert key not in self.keys
                    self.keys.add(key)
                    self.owed[number] -= amount
        assert self.keys >= {f"k{each[0]}" for each in settlements}

    @precondition(lambda self: self.keys)
    @rule(cents=st.integers(1, 500))
    def fail_half_way(self, cents: int) -> None:
        posting = post_settlement("never", "payment", NOW, Decimal(cents) / 100)
        with writing(self.engine) as connection:
            assert post(connection, posting, Subject(1, 1, "USD"))
            connection.rollback()

    @invariant()
    def accounts_add_up(self) -> None:
        if not hasattr(self, "engine"):
            return
        with reading(self.engine) as connection:
            assert find_problems(connection) == []
        assert ask(self.engine, "SELECT sum(balance) FROM accounts") == [(0,)]
        assert ask(self.engine, "SELECT count(*) FROM journal") == [(2 + len(self.keys),)]
        balances = dict(
            ask(
                self.engine,
                "SELECT t.name, a.balance FROM accounts AS a JOIN tenants AS t ON t.id = a.tenant_id",
            )
        )
        assert balances == {"shop": self.owed[1], "rival": self.owed[2]}


@pytest.fixture
def new_engine(server: Postgres, template: str) -> Callable[[], Engine]:
    return lambda: connect(server.url(server.make_database(template)))


@pytest.mark.slow
def test_invariants_hold_whatever_writers_do_at_once(new_engine: Callable[[], Engine]) -> None:
    class OnThisServer(Bookkeeping):
        pass

    OnThisServer.new_engine = staticmethod(new_engine)
    run_state_machine_as_test(
        OnThisServer,
        settings=settings(
            max_examples=15, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
