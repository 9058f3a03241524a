"""The ledger as the client's side asks it: commands in its container, and what becomes of their answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from runyard.contracts import Verification, VerifiedBill, encode
from runyard.errors import ContractError, HostError, NotFound, RunyardError, UsageError
from runyard.host.ledger import Ledger
from runyard.names import BILLING_ASK
from tests.unit.runyard.invoices.example import INVOICE, statement


@dataclass
class FakeHost:
    """A host whose one container answers as told, and remembers what it was asked."""

    code: int
    output: str
    asked: list[tuple[str, Sequence[str]]] = field(default_factory=list)

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        self.asked.append((container, command))
        return self.code, self.output


class BareHost(FakeHost):
    """A host without the container."""

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        raise NotFound(f"execute {command[0]} in {container}: No such container: {container}")


def test_stack_without_a_ledger_is_told_how_it_gets_one() -> None:
    with pytest.raises(NotFound, match=r'^stack prod has no ledger: `billing: "on"` in its Platform'):
        Ledger(BareHost(0, ""), "prod").budgets()


def test_statement_is_asked_for_and_issued_in_the_container_of_the_stack() -> None:
    host = FakeHost(0, encode(statement(INVOICE)))
    ledger = Ledger(host, "prod")
    assert ledger.state("shop", "2026-10") == ledger.issue("shop", "2026-10") == statement(INVOICE)
    assert host.asked == [
        ("runyard.prod.billing", (*BILLING_ASK, "GET", "/v1/tenants/shop/statements/2026-10")),
        ("runyard.prod.billing", (*BILLING_ASK, "POST", "/v1/tenants/shop/invoices/2026-10")),
    ]


@pytest.mark.parametrize(
    ("tenant", "month", "query"),
    [("", "", ""), ("shop", "", "tenant=shop"), ("shop", "2026-10", "tenant=shop&month=2026-10")],
)
def test_verification_is_of_everything_or_of_what_is_named(tenant: str, month: str, query: str) -> None:
    told = Verification((VerifiedBill(1, "shop", "2026-10", Decimal("1.00"), Decimal("1.00")),))
    host = FakeHost(0, encode(told))
    assert Ledger(host, "dev").verify(tenant, month) == told
    assert host.asked[0][1][-1] == f"/v1/verification?{query}"


def test_what_is_asked_for_cannot_leave_its_place_in_the_path() -> None:
    host = FakeHost(0, encode(statement(INVOICE)))
    Ledger(host, "dev").state("../a b", "?x")
    assert host.asked[0][1][-1] == "/v1/tenants/..%2Fa%20b/statements/%3Fx"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, UsageError), (404, NotFound), (409, HostError), (500, HostError), (503, HostError)]
)
def test_problem_is_an_error_of_its_kind(status: int, kind: type[RunyardError]) -> None:
    host = FakeHost(1, json.dumps({"status": status, "title": "t", "detail": "what is wrong"}))
    with pytest.raises(kind) as raised:
        Ledger(host, "dev").state("shop", "2026-10")
    assert (type(raised.value), str(raised.value)) == (kind, "what is wrong")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("Traceback\nConnectionRefusedError: no\n", "ConnectionRefusedError: no"),
        ("", "it wrote nothing"),
        ("[]", "[]"),
        ('{"status": "x"}', '{"status": "x"}'),
    ],
)
def test_whatever_else_the_container_wrote_is_told_by_its_last_line(output: str, said: str) -> None:
    with pytest.raises(HostError) as raised:
        Ledger(FakeHost(1, output), "dev").state("shop", "2026-10")
    assert str(raised.value) == f"ask runyard.dev.billing: {said}"


def test_answer_that_is_no_statement_is_refused() -> None:
    with pytest.raises(ContractError):
        Ledger(FakeHost(0, "{}"), "dev").state("shop", "2026-10")
