"""Invoicing: what a month comes to, bills that never change, and notes for what came to light later."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from runyard.contracts import Invoice
from runyard.errors import NotFound, UsageError
from runyard.pricing.prices import FreeTier, PriceBook
from services.billing.adapters.database import LedgerError, reading, writing
from services.billing.adapters.journal import find_problems
from services.billing.adapters.usage import take_windows
from services.billing.adapters.verification import verify_bills
from services.billing.domain.month import Month
from services.billing.invoicing import Invoicing, Issuer
from tests.harness.waiting import until
from tests.unit.services.billing.world import (
    BOOK,
    BUSY,
    HOURLY,
    OCTOBER,
    ask,
    at,
    minutes,
    set_prices,
    take,
    window,
)

NOVEMBER_2ND = datetime(2026, 11, 2, tzinfo=UTC)
SEPTEMBER = Month(2026, 9)


def invoicing(engine: Engine, tax: str = "0", now: datetime = NOVEMBER_2ND) -> Invoicing:
    return Invoicing(engine, Issuer("acme", Decimal(tax)), lambda: now)


def amounts(invoice: Invoice) -> dict[tuple[str, str, str], str]:
    return {(each.service, each.start, each.item): str(each.amount) for each in invoice.lines}


def issue(subject: Invoicing, month: Month = OCTOBER, tenant: str = "shop") -> Invoice:
    issued = subject.issue(tenant, month)
    assert issued is not None
    return issued


def agrees(engine: Engine) -> bool:
    with reading(engine) as connection:
        found = verify_bills(connection, None, None)
        assert find_problems(connection) == []
    return bool(found) and not any(each.differences for each in found)


def test_draft_says_what_an_hour_comes_to_line_by_line(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    (draft,) = invoicing(engine).state("shop", OCTOBER).bills
    # Half an hour busy, half idle: 1800 s at 0.0003 and at 0.00003; memory a tenth of that; 6000 requests, 60 MiB.
    assert amounts(draft) == {
        ("web", "2026-10-01", "cpu"): "0.59",
        ("web", "2026-10-01", "memory"): "0.06",
        ("web", "2026-10-01", "requests"): "0.01",
        ("web", "2026-10-01", "egress"): "0.01",
    }
    assert (draft.number, draft.issued_at, draft.total) == (0, "", Decimal("0.67"))
    (cpu, *_) = draft.lines
    assert [(each.name, str(each.used), str(each.due), str(each.price)) for each in cpu.quantities] == [
        ("active", "1800.000000", "1800.000000", "0.0003"),
        ("idle", "1800.000000", "1800.000000", "0.00003"),
    ]


def test_service_that_is_billed_by_instance_pays_its_whole_life_and_no_requests(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60), "instance")
    (draft,) = invoicing(engine).state("shop", OCTOBER).bills
    assert amounts(draft) == {
        ("web", "2026-10-01", "cpu"): "0.72",
        ("web", "2026-10-01", "memory"): "0.07",
        ("web", "2026-10-01", "egress"): "0.01",
    }


def test_prices_that_change_in_mid_month_stand_with_their_days(engine: Engine) -> None:
    later = dataclasses.replace(HOURLY, start="2026-10-16", million_requests=Decimal("2.00"))
    set_prices(engine, PriceBook("test", (dataclasses.replace(HOURLY, end="2026-10-16"), later)))
    many = dataclasses.replace(BUSY, requests=10**6)
    take(engine, [window(at(15, 23, 59), many), window(at(16), many)])
    (draft,) = invoicing(engine).state("shop", OCTOBER).bills
    requests = [(each.start, each.end, str(each.amount)) for each in draft.lines if each.item == "requests"]
    assert requests == [("2026-10-01", "2026-10-16", "1.00"), ("2026-10-16", "2026-11-01", "2.00")]


def test_free_tier_and_discount_are_of_the_tenant_and_month(engine: Engine) -> None:
    free = dataclasses.replace(HOURLY, free_tier=FreeTier(requests=Decimal(10**6)))
    set_prices(engine, PriceBook("test", (free,), discounts={"shop": Decimal(50)}))
    many = dataclasses.replace(BUSY, requests=10**6)
    take(engine, [window(amounts=many), window(at(1, 0, 1), many), window(container="c2", service="api", amounts=many)])
    (draft,) = invoicing(engine).state("shop", OCTOBER).bills
    # Three millions, one free, half price: web has two thirds of the dollar.
    requests = {each.service: str(each.amount) for each in draft.lines if each.item == "requests"}
    assert requests == {"api": "0.33", "web": "0.67"}
    assert draft.discount_percent == 50


def test_invoice_has_the_next_number_its_tax_and_a_posting(engine: Engine) -> None:
    set_prices(engine)
    take(engine, [*minutes(60), *minutes(60, tenant="rival", container="c2")])
    subject = invoicing(engine, tax="19")
    first, second = issue(subject), issue(subject, tenant="rival")
    assert [(each.number, each.net, each.tax, each.total) for each in (first, second)] == [
        (1, Decimal("0.67"), Decimal("0.13"), Decimal("0.80")),
        (2, Decimal("0.67"), Decimal("0.13"), Decimal("0.80")),
    ]
    assert ask(
        engine,
        "SELECT a.kind, t.name, a.balance::text FROM accounts AS a LEFT JOIN tenants AS t ON t.id = a.tenant_id "
        "ORDER BY 1, 2",
    ) == [
        ("receivable", "rival", "0.80"),
        ("receivable", "shop", "0.80"),
        ("revenue", None, "-1.34"),
        ("tax", None, "-0.26"),
    ]
    assert agrees(engine)


def test_invoice_that_was_issued_is_told_as_it_was_and_is_issued_once(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    subject = invoicing(engine)
    issued = issue(subject)
    assert subject.issue("shop", OCTOBER) is None
    statement = subject.state("shop", OCTOBER)
    assert (statement.bills, statement.total, statement.pending) == ((issued,), issued.total, Decimal("0.00"))


def test_late_usage_is_a_debit_note_of_its_own_month_at_the_prices_of_its_invoice(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    subject = invoicing(engine, tax="10")
    first = issue(subject)
    dearer = dataclasses.replace(HOURLY, million_requests=Decimal(1000))
    assert set_prices(engine, PriceBook("dearer", (dearer,)))
    late = [*minutes(60, container="c9"), window(at(1), container="c8", service="api")]
    take(engine, late)
    assert subject.state("shop", OCTOBER).pending == Decimal("0.67")
    note = issue(invoicing(engine, tax="20"))
    assert (note.kind, note.number, note.corrects, note.month) == ("debit_note", 2, 1, "2026-10")
    # The api has no line to correct; web's are named by their position. A new rate of tax is not the old invoice's.
    lines = {(each.service, each.item): (str(each.amount), each.corrects) for each in note.lines}
    assert lines == {("api", "cpu"): ("0.01", 0), ("web", "cpu"): ("0.60", 1), ("web", "memory"): ("0.06", 2)}
    assert note.tax_percent == 10
    assert subject.state("shop", OCTOBER).bills == (first, note)
    assert subject.issue("shop", OCTOBER) is None
    assert agrees(engine)


def test_same_batch_thirty_days_late_and_ten_times_is_charged_once_in_its_own_month(engine: Engine) -> None:
    set_prices(engine)
    take(engine, [window(at(1, month=9), container="c0")])
    december = invoicing(engine, now=datetime(2026, 12, 2, tzinfo=UTC))
    issue(december, SEPTEMBER)
    batch = minutes(60, at(30, 22, month=9))
    for _ in range(10):
        take(engine, batch)
    assert december.state("shop", SEPTEMBER).pending == Decimal("0.67")
    issue(december, SEPTEMBER)
    assert [each.lines for each in december.state("shop", OCTOBER).bills] == [()]
    assert ask(engine, "SELECT month::text, kind FROM invoices") == [
        ("2026-09-01", "invoice"),
        ("2026-09-01", "debit_note"),
    ]
    assert agrees(engine)


def test_month_that_is_not_over_has_a_draft_and_no_invoice(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    subject = invoicing(engine, now=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    assert subject.state("shop", OCTOBER).total == Decimal("0.67")
    with pytest.raises(UsageError, match=r"^issue invoice of shop: month must be over, got 2026-10$"):
        subject.issue("shop", OCTOBER)


def test_tenant_without_usage_and_day_without_prices_are_told(engine: Engine) -> None:
    take(engine, minutes(1))
    subject = invoicing(engine)
    with pytest.raises(NotFound, match=r"^tenant nobody: must be one of which the ledger has usage$"):
        subject.state("nobody", OCTOBER)
    with pytest.raises(UsageError, match=r"^price book: must be known to the ledger, got none$"):
        subject.state("shop", OCTOBER)
    set_prices(engine, PriceBook("late", (dataclasses.replace(HOURLY, start="2026-10-02"),)))
    with pytest.raises(UsageError, match=r"^price book late: must have prices for 2026-10-01, got none$"):
        subject.state("shop", OCTOBER)


def test_settlement_counts_once_by_its_key_and_settles_the_invoice(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    subject = invoicing(engine)
    issue(subject)
    assert ask(engine, "SELECT amount::text, period::text, status FROM billing") == [("0.67", "2026-10-01", "open")]
    assert subject.settle("bank-1", 1, "payment", Decimal("0.60"))
    assert not subject.settle("bank-1", 1, "payment", Decimal("0.60"))
    assert ask(engine, "SELECT status FROM billing") == [("open",)]
    assert subject.settle("grace-1", 1, "write_off", Decimal("0.07"))
    assert ask(engine, "SELECT status FROM billing") == [("settled",)]
    assert ask(engine, "SELECT balance::text FROM accounts WHERE kind = 'receivable'") == [("0.00",)]
    assert agrees(engine)


@pytest.mark.parametrize("amount", ["0", "-1", "0.001"])
def test_settlement_of_no_amount_is_refused(engine: Engine, amount: str) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    subject = invoicing(engine)
    issue(subject)
    with pytest.raises(UsageError, match=r"^amount: must be above 0 and of whole cents, got"):
        subject.settle("k", 1, "payment", Decimal(amount))
    with pytest.raises(UsageError, match=r"^settle invoice 1: kind must be one of payment, write_off, got 'gift'$"):
        subject.settle("k", 1, "gift", Decimal(1))
    with pytest.raises(NotFound, match=r"^settle invoice 7: must be a bill of acme$"):
        subject.settle("k", 7, "payment", Decimal(1))


def test_eight_who_issue_at_once_issue_each_invoice_once_and_leave_no_gap(engine: Engine) -> None:
    set_prices(engine)
    tenants = [f"t{each}" for each in range(6)]
    take(engine, [each for name in tenants for each in minutes(60, tenant=name, container=name)])
    subject = invoicing(engine)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: subject.issue(name, OCTOBER), tenants * 4))
    assert sorted(each.number for each in found if each) == [1, 2, 3, 4, 5, 6]
    assert agrees(engine)


def test_invoice_waits_for_a_batch_under_way_and_is_made_of_it(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as connection:
            take_windows(connection, [(each, "request") for each in minutes(60, container="c2")])
            issuing = pool.submit(issue, invoicing(engine))
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            until(lambda: ask(engine, waiting) == [(1,)], "the issuer waits")
        issued = issuing.result(30)
    # Twice the hour, and not one less than its numbers say.
    assert amounts(issued)["web", "2026-10-01", "cpu"] == "1.19"
    assert agrees(engine)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE invoices SET total = 0", "invoices is append-only: update is refused"),
        ("DELETE FROM charges", "charges is append-only: delete is refused"),
        ("UPDATE prices SET million_requests = 0", "prices is append-only: update is refused"),
        ("UPDATE issuers SET last_number = 0", "number of issuer acme: only an invoice may take the next"),
        ("UPDATE accounts SET balance = 0", "account 1: its balance moves by entries alone"),
    ],
)
def test_what_was_issued_is_frozen(engine: Engine, statement: str, said: str) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    issue(invoicing(engine))
    with pytest.raises(LedgerError) as raised, writing(engine) as connection:
        connection.execute(text(statement))
    assert str(raised.value) == f"write to the ledger: {said}"


def test_line_that_is_added_to_an_invoice_later_is_refused(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    issue(invoicing(engine))
    added = """
        INSERT INTO charges (invoice_id, position, service_id, prices_id, starts, ends, item, amount, quantities)
        SELECT invoice_id, 99, service_id, prices_id, starts, ends, 'storage', 1, '[]' FROM charges LIMIT 1
    """
    said = r"invoice 1: net must be the sum of its lines \(1\.67\), got 0\.67"
    with pytest.raises(LedgerError, match=said), writing(engine) as connection:
        connection.execute(text(added))


def test_verification_tells_a_line_that_is_a_cent_too_much(engine: Engine) -> None:
    set_prices(engine)
    take(engine, minutes(60))
    issue(invoicing(engine))
    # As an owner of the database could: past every trigger.
    with writing(engine) as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE charges SET amount = amount + 0.01 WHERE item = 'cpu'"))
    with reading(engine) as connection:
        (found,) = verify_bills(connection, None, None)
        assert find_problems(connection) == ["bill 1 is not the sum of its lines"]
    assert found.differences == ("web cpu: charged 0.60, recomputed 0.59",)


def test_books_of_prices_are_kept_as_they_were_known(engine: Engine) -> None:
    assert set_prices(engine)
    assert not set_prices(engine, BOOK)
    other = PriceBook("other", (dataclasses.replace(HOURLY, million_requests=Decimal("0.5")),))
    assert set_prices(engine, other)
    # Back to the first: it is known anew.
    assert set_prices(engine, BOOK)
    assert ask(engine, "SELECT count(DISTINCT known_from), count(*) FROM prices") == [(3, 3)]
