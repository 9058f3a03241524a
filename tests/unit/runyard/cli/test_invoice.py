"""Command `invoice`, on a ledger that answers as told."""

from __future__ import annotations

import gc
import json
from decimal import Decimal
from pathlib import Path

import pytest

from runyard.cli.invoice import Asked, report
from runyard.cli.main import main
from runyard.cli.output import Output
from runyard.contracts import Verification, VerifiedBill, encode
from runyard.errors import UsageError, VerifyError
from runyard.host.ledger import Ledger
from runyard.invoices import render_focus, render_page, render_statement
from tests.unit.runyard.host.docker_api import DockerApi
from tests.unit.runyard.host.test_ledger import FakeHost
from tests.unit.runyard.invoices.example import INVOICE, NOTE, statement

MONTH = statement(INVOICE, NOTE)
DIFFERENT = Verification((VerifiedBill(1, "shop", "2026-10", Decimal("1.00"), Decimal("2.00"), ("web cpu",)),))


def ask(answer: object, asked: Asked, form: str = "text", *, quiet: bool = False) -> FakeHost:
    host = FakeHost(0, encode(answer))
    report(Ledger(host, "dev"), asked, Output(form, quiet, colour=False))
    return host


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_month_is_shown_in_the_form_that_was_asked_for(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask(MONTH, Asked("shop", "2026-10"), form)
    shown = capsys.readouterr().out
    expected = {"text": render_statement(MONTH), "html": render_page(MONTH)}
    if form == "json":
        assert json.loads(shown) == json.loads(encode(MONTH))
    else:
        assert shown == expected[form]


@pytest.mark.parametrize(("issue", "method"), [(False, "GET"), (True, "POST")])
def test_month_is_issued_only_when_that_is_asked(issue: bool, method: str) -> None:
    host = ask(MONTH, Asked("shop", "2026-10", issue=issue))
    assert host.asked[0][1][-2] == method


# The library leaves the colour profile that such a PDF holds to the collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_bills_are_written_as_pdf(tmp_path: Path) -> None:
    ask(MONTH, Asked("shop", "2026-10", pdf_file=str(tmp_path / "invoice.pdf")), quiet=True)
    gc.collect()
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("asked", [Asked(), Asked("shop"), Asked(month="2026-10")])
def test_month_without_its_tenant_is_no_question(asked: Asked) -> None:
    with pytest.raises(UsageError, match=r"^invoice: must be given TENANT and YYYY-MM, --verify, or what settles"):
        ask(MONTH, asked)


def test_verification_that_agrees_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    host = ask(Verification(()), Asked("shop", "2026-10", verify=True))
    assert capsys.readouterr().out == "0 bills recomputed, 0 differences\n"
    assert host.asked[0][1][-1] == "/v1/verification?tenant=shop&month=2026-10"


def test_verification_that_differs_is_an_error_and_told_however_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VerifyError, match="bills must agree with the usage"):
        ask(DIFFERENT, Asked(verify=True), quiet=True)
    assert "differs: bill 1 of shop" in capsys.readouterr().out


def test_command_without_tenant_is_an_error_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["invoice", "--nothing"]) == 2
    assert "No such option" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "kind", "written", "said"),
    [
        (Asked(payment=(7, "12.50"), key="bank-1"), "payment", True, "payment of 12.50 for bill 7: noted under bank-1"),
        (Asked(write_off=(7, "0.01"), key="b/2"), "write_off", False,
         "write-off of 0.01 for bill 7: not noted: b/2 was used already"),
    ],
)  # fmt: skip
def test_bill_is_settled_under_a_key(
    asked: Asked, kind: str, written: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    host = ask({"written": written}, asked)
    assert capsys.readouterr().out == f"{said}\n"
    method, path, body = host.asked[0][1][-3:]
    assert (method, path) == ("PUT", f"/v1/settlements/{asked.key.replace('/', '%2F')}")
    number, amount = asked.payment or asked.write_off or (0, "")
    assert json.loads(body) == {"number": number, "kind": kind, "amount": amount}


@pytest.mark.parametrize(
    "asked",
    [
        Asked(payment=(7, "1")),
        Asked(key="bank-1"),
        Asked(payment=(7, "1"), write_off=(7, "1"), key="bank-1"),
        Asked("shop", "2026-10", payment=(7, "1"), key="bank-1"),
    ],
)
def test_settlement_is_one_thing_with_a_key_and_nothing_else(asked: Asked) -> None:
    with pytest.raises(UsageError, match=r"^invoice: must be given one of --payment and --write-off, with --key, and"):
        ask({"written": True}, asked)


def test_bills_are_written_as_focus_has_costs(tmp_path: Path) -> None:
    file = tmp_path / "october.csv"
    ask(MONTH, Asked("shop", "2026-10", focus_file=str(file)), quiet=True)
    assert file.read_text() == render_focus(MONTH)


def test_command_takes_a_payment_with_its_number_and_amount(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.output = b'{"written": true}'
    assert main(["invoice", "-s", "prod", "--payment", "7", "12.50", "--key", "bank-1", "-o", "json"]) == 0
    told = {"key": "bank-1", "number": 7, "kind": "payment", "amount": "12.50", "written": True}
    assert json.loads(capsys.readouterr().out) == told
    assert docker_api.asked[1] == "POST /containers/runyard.prod.billing/exec"
    assert main(["invoice", "--payment", "seven", "12.50", "--key", "bank-1"]) == 2
