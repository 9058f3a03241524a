"""Invoicing: what a month comes to, bills that say so for ever, and notes for what came to light later.

A month has one invoice. Once it is issued nothing of it changes: usage that arrives later keeps its own month, at the
prices that the invoice had, and is charged by a debit note, or a credit note where the sum is less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection, Engine

from runyard.contracts import DailyCost, Invoice, InvoiceKind, InvoiceLine, Spend, Statement
from runyard.errors import NotFound, UsageError
from runyard.pricing.metering import Metered
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
from services.billing.adapters.journal import Subject, find_subject, post, sum_settled
from services.billing.adapters.prices import KnownBook, book_known, known_book
from services.billing.adapters.usage import close_usage, last_row, sum_days
from services.billing.domain.charge import Key, Term, charge, differences, price_day
from services.billing.domain.month import Month
from services.billing.domain.posting import post_bill, post_settlement
from services.billing.domain.projection import project

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
                draft = self._bill(owner, month, account, tuple(account.lines.values()))
                issued, total, pending = (draft,), draft.total, ZERO
            return Statement(
                tenant=tenant,
                month=str(month),
                currency=account.book.book.currency,
                bills=issued,
                total=total,
                pending=pending,
                days=_days(account),
                settled=sum_settled(connection, owner.id, month.starts),
            )

    def spend(self, tenant: str, month: Month) -> Spend:
        """Tell what a month comes to so far and by its end, before tax; errors as in `state`."""
        with reading(self.engine) as connection:
            owner = find_owner(connection, tenant)
            bills = find_bills(connection, tenant, month)
            account = self._account(connection, owner, month, bills, last_row(connection))
            used = dict(account.used)
            for key, more in project(account.terms, account.days, self.now()).items():
                used[key] = used.get(key, Metered()) + more
            forecast = charge(account.terms, used, account.book.discount(tenant))
            return Spend(*(sum((each.amount for each in lines.values()), ZERO) for lines in (account.lines, forecast)))

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
            subject = find_subject(connection, self.issuer.name, number)
            if subject is None:
                raise NotFound(f"settle invoice {number}: must be a bill of {self.issuer.name}")
            posting = post_settlement(key, kind, self.now(), amount)  # type: ignore[arg-type]
            return post(connection, posting, subject)

    def _account(self, connection: Connection, owner: Owner, month: Month, bills: list[Bill], upto: int) -> _Account:
        book = book_known(connection, bills[0].sources.prices_known_from) if bills else known_book(connection)
        terms = book.terms(month)
        days = sum_days(connection, owner.name, month.times, book.book.minimum_charge_ms, upto)
        used: dict[tuple[str, int], Metered] = {}
        for (service, day), metered in sorted(days.items(), key=lambda each: each[0][1]):
            term = next((each for each in terms if each.starts <= day < each.ends), None)
            if term is None:
                raise UsageError(f"price book {book.book.name}: must have prices for {day}, got none")
            used[service, term.id] = used.get((service, term.id), Metered()) + metered
        charged: dict[Key, Decimal] = {}
        for bill in bills:
            for key, (_, line) in bill.lines.items():
                charged[key] = charged.get(key, ZERO) + line.amount
        lines = charge(terms, used, book.discount(owner.name))
        sources = Sources(book.known_from, upto)
        return _Account(book, terms, sources, days, used, lines, differences(charged, lines))

    def _bill(
        self,
        owner: Owner,
        month: Month,
        account: _Account,
        lines: tuple[InvoiceLine, ...],
        corrected: Invoice | None = None,
    ) -> Invoice:
        net = sum((each.amount for each in lines), ZERO)
        # The tax of a note is that of its invoice, whatever it is today.
        percent = corrected.tax_percent if corrected else self.issuer.tax_percent
        tax = round_cents(Fraction(net) * Fraction(percent) / 100)
        kind: InvoiceKind = "invoice" if corrected is None else "credit_note" if net < 0 else "debit_note"
        return Invoice(
            kind=kind,
            issuer=self.issuer.name,
            number=0,
            tenant=owner.name,
            month=str(month),
            currency=account.book.book.currency,
            discount_percent=account.book.discount(owner.name),
            lines=lines,
            net=net,
            tax_percent=percent,
            tax=tax,
            total=net + tax,
            corrects=corrected.number if corrected else 0,
        )

    def _issue(
        self, connection: Connection, making: Making, month: Month, found: tuple[_Account, list[Bill]]
    ) -> Invoice:
        account, bills = found
        about, corrected = account.lines, None
        if bills:
            making, corrected = replace(making, corrected=bills[0]), bills[0].invoice
            about = account.note(bills[0])
        draft = self._bill(making.owner, month, account, tuple(about.values()), corrected)
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
    days: Mapping[tuple[str, date], Metered]
    used: Mapping[tuple[str, int], Metered]
    lines: Mapping[Key, InvoiceLine]
    differences: Mapping[Key, Decimal]

    def note(self, corrected: Bill) -> dict[Key, InvoiceLine]:
        """Give the lines of a note: differences with the quantities of now, naming the lines that they correct."""
        found: dict[Key, InvoiceLine] = {}
        for key, amount in self.differences.items():
            known = corrected.lines.get(key)
            line = self.lines.get(key) or known[1]  # type: ignore[index]
            corrects = known[1].position if known else 0
            found[key] = replace(line, position=len(found) + 1, amount=amount, corrects=corrects)
        return found


def _days(account: _Account) -> tuple[DailyCost, ...]:
    found = []
    for (service, day), metered in sorted(account.days.items()):
        term = next(each for each in account.terms if each.starts <= day < each.ends)
        found.append(price_day(service, day, metered, term.period))
    return tuple(found)
