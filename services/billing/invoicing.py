"""Invoicing: what a month comes to, bills that say so for ever, and notes for what came to light later.

A month has one invoice. Once it is issued nothing of it changes: usage that arrives later keeps its own month, at the
prices that the invoice had, and is charged by a debit note, or a credit note where the sum is less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection, Engine

from runyard.contracts import DailyCost, Invoice, InvoiceLine, Statement
from runyard.errors import NotFound, UsageError
from runyard.pricing.rating import ZERO, round_cents
from services.billing.adapters.bills import (
    Bill,
    Making,
    Owner,
    Sources,
    find_bills,
    find_owner,
    lock_issuer,
    write_bill,
)
from services.billing.adapters.database import reading, writing
from services.billing.adapters.journal import Subject, post
from services.billing.adapters.prices import KnownBook, book_known, known_book
from services.billing.adapters.usage import close_usage, last_row, sum_days, sum_usage
from services.billing.domain.charge import Key, Term, charge, differences, price_day
from services.billing.domain.month import Month
from services.billing.domain.posting import post_bill, post_settlement

DEFAULT_ISSUER = "runyard"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who writes invoices, and the tax on them in percent."""

    name: str = DEFAULT_ISSUER
    tax_percent: Decimal = Decimal(0)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Invoicing:
    """Statements, invoices and settlements of one ledger."""

    engine: Engine
    issuer: Issuer = field(default_factory=Issuer)
    now: Callable[[], datetime] = _now

    def state(self, tenant: str, month: Month) -> Statement:
        """Tell all there is about a tenant's month; NotFound or UsageError where it has no usage or no prices."""
        with reading(self.engine) as connection:
            owner = find_owner(connection, tenant)
            bills = find_bills(connection, tenant, month)
            account = self._account(connection, owner, month, bills, last_row(connection))
            issued = tuple(each.invoice for each in bills)
            total = sum((each.total for each in issued), ZERO)
            pending = sum(account.differences.values(), ZERO)
            if not bills:
                draft = self._draft(owner, month, account)
                issued, total, pending = (draft,), draft.total, ZERO
            return Statement(
                tenant=tenant,
                month=str(month),
                currency=account.book.book.currency,
                bills=issued,
                total=total,
                pending=pending,
                days=_days(connection, owner, month, account),
            )

    def issue(self, tenant: str, month: Month) -> Invoice | None:
        """Issue the invoice of a month that is over, or a note about what came later; None when all is said.

        UsageError for a month that is not over; NotFound for a tenant without usage.
        """
        if not month.is_over(self.now()):
            raise UsageError(f"issue invoice of {tenant}: month must be over, got {month}")
        with writing(self.engine) as connection:
            owner = find_owner(connection, tenant)
            issuer_id = lock_issuer(connection, self.issuer.name)
            bills = find_bills(connection, tenant, month)
            account = self._account(connection, owner, month, bills, close_usage(connection))
            if bills and not account.differences:
                return None
            return self._issue(connection, Making(issuer_id, owner, account.sources), month, (account, bills))

    def settle(self, key: str, number: int, kind: str, amount: Decimal) -> bool:
        """Note that an invoice was paid, or that its amount was given up; False where the key was used already.

        NotFound if there is no such bill; UsageError for an amount or kind that is none.
        """
        if kind not in ("payment", "write_off"):
            raise UsageError(f"settle invoice {number}: kind must be one of payment, write_off, got {kind!r}")
        with writing(self.engine) as connection:
            mine = [
                each
                for each in find_bills(connection, None, None)
                if (each.invoice.issuer, each.invoice.number) == (self.issuer.name, number)
            ]
            if not mine:
                raise NotFound(f"settle invoice {number}: must be a bill of {self.issuer.name}")
            (bill,) = mine
            owner = find_owner(connection, bill.invoice.tenant)
            posting = post_settlement(key, kind, self.now(), amount)  # type: ignore[arg-type]
            return post(connection, posting, Subject(bill.id, owner.id, bill.invoice.currency))

    def _account(self, connection: Connection, owner: Owner, month: Month, bills: list[Bill], upto: int) -> _Account:
        book = book_known(connection, bills[0].sources.prices_known_from) if bills else known_book(connection)
        terms = book.terms(month)
        used = sum_usage(connection, owner.name, terms, book.book.minimum_charge_ms, upto)
        _check_priced(connection, owner, month, (book, terms, upto))
        charged: dict[Key, Decimal] = {}
        for bill in bills:
            for key, (_, line) in bill.lines.items():
                charged[key] = charged.get(key, ZERO) + line.amount
        lines = charge(terms, used, book.discount(owner.name))
        sources = Sources(book.known_from, upto)
        return _Account(book, terms, sources, lines, differences(charged, lines), charged)

    def _draft(self, owner: Owner, month: Month, account: _Account) -> Invoice:
        return self._bill("invoice", owner, month, account, tuple(account.lines.values()))

    def _bill(
        self, kind: str, owner: Owner, month: Month, account: _Account, lines: tuple[InvoiceLine, ...]
    ) -> Invoice:
        net = sum((each.amount for each in lines), ZERO)
        tax = round_cents(Fraction(net) * Fraction(self.issuer.tax_percent) / 100)
        return Invoice(
            kind=kind,  # type: ignore[arg-type]
            issuer=self.issuer.name,
            number=0,
            tenant=owner.name,
            month=str(month),
            currency=account.book.book.currency,
            discount_percent=account.book.discount(owner.name),
            lines=lines,
            net=net,
            tax_percent=self.issuer.tax_percent,
            tax=tax,
            total=net + tax,
        )

    def _issue(
        self, connection: Connection, making: Making, month: Month, found: tuple[_Account, list[Bill]]
    ) -> Invoice:
        account, bills = found
        about, kind = account.lines, "invoice"
        if bills:
            making = replace(making, corrected=bills[0])
            about = account.note(bills[0])
            kind = "credit_note" if sum(each.amount for each in about.values()) < 0 else "debit_note"
        draft = self._bill(kind, making.owner, month, account, tuple(about.values()))
        if bills:
            # The tax of a note is that of its invoice, whatever it is today.
            percent = bills[0].invoice.tax_percent
            tax = round_cents(Fraction(draft.net) * Fraction(percent) / 100)
            number = bills[0].invoice.number
            draft = replace(draft, corrects=number, tax_percent=percent, tax=tax, total=draft.net + tax)
        identity, invoice = write_bill(connection, draft, about, making)
        key = f"{invoice.issuer}/{invoice.number}"
        posting = post_bill(key, invoice.kind, self.now(), invoice.net, invoice.tax)
        if posting is not None:
            post(connection, posting, Subject(identity, making.owner.id, invoice.currency))
        return invoice


@dataclass(frozen=True, slots=True)
class _Account:
    """What a month comes to now, and by how much that differs from what was charged."""

    book: KnownBook
    terms: list[Term]
    sources: Sources
    lines: Mapping[Key, InvoiceLine]
    differences: Mapping[Key, Decimal]
    charged: Mapping[Key, Decimal]

    def note(self, corrected: Bill) -> dict[Key, InvoiceLine]:
        """Give the lines of a note: differences with the quantities of now, naming the lines that they correct."""
        found: dict[Key, InvoiceLine] = {}
        for key, amount in self.differences.items():
            known = corrected.lines.get(key)
            line = self.lines.get(key) or known[1]  # type: ignore[index]
            corrects = known[1].position if known else 0
            found[key] = replace(line, position=len(found) + 1, amount=amount, corrects=corrects)
        return found


def _check_priced(connection: Connection, owner: Owner, month: Month, known: tuple[KnownBook, list[Term], int]) -> None:
    """Refuse a month of which a day has usage and no price."""
    book, terms, upto = known
    covered = sum((term.ends - term.starts).days for term in terms)
    if covered == (month.ends - month.starts).days:
        return
    days = sum_days(connection, owner.name, month.times, book.book.minimum_charge_ms, upto)
    for _, day in sorted(days, key=lambda each: each[1]):
        if not any(term.starts <= day < term.ends for term in terms):
            raise UsageError(f"price book {book.book.name}: must have prices for {day}, got none")


def _days(connection: Connection, owner: Owner, month: Month, account: _Account) -> tuple[DailyCost, ...]:
    minimum = account.book.book.minimum_charge_ms
    days = sum_days(connection, owner.name, month.times, minimum, account.sources.usage_upto)
    found = []
    for (service, day), metered in sorted(days.items()):
        term = next(each for each in account.terms if each.starts <= day < each.ends)
        found.append(price_day(service, day, metered, term.period))
    return tuple(found)
