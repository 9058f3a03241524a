"""Statements and verifications as text."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from runyard.contracts import Verification, VerifiedBill
from runyard.invoices import render_statement, render_verification
from tests.unit.runyard.invoices.example import DRAFT, INVOICE, NOTE, statement


def test_invoice_has_a_line_for_each_amount_and_its_sums() -> None:
    assert render_statement(statement(INVOICE)) == (
        "Invoice 7 of acme to shop for 2026-10, issued 2026-11-01T00:05:00Z\n"
        "service   item      days      amount USD  of\n"
        "api       CPU       1 to 15        24.00  active: 1,234,567.25 vCPU-seconds, 1,000,000 due at 0.000024; "
        "idle: 60 vCPU-seconds at 0.0000025\n"
        "api       Requests  1 to 15         0.20  2.5 million requests, 0.5 due at 0.40\n"
        "web       CPU       16 to 31    1,200.30  active: 1,234,567.25 vCPU-seconds, 1,000,000 due at 0.000024\n"
        "net                             1,224.50\n"
        "tax 19 %                          232.66\n"
        "total                           1,457.16\n"
    )


def test_draft_says_so_and_its_discount_and_no_tax() -> None:
    shown = render_statement(statement(DRAFT)).splitlines()
    assert shown[:2] == ["Draft of acme to shop for 2026-10", "discount 12.5 %"]
    assert shown[3].endswith("idle: 60 vCPU-seconds at 0.0000025 less discount")
    assert [line.split()[0] for line in shown[-2:]] == ["net", "total"]


def test_note_names_what_it_corrects_and_the_month_has_a_sum() -> None:
    shown = render_statement(statement(INVOICE, NOTE, pending="1.50"))
    assert "\n\nDebit note 9 to invoice 7 of acme to shop for 2026-10" in shown
    assert "web       CPU   16 to 31        0.60  corrects line 3; active:" in shown
    assert shown.endswith(
        "\n\n2026-10 comes to 1,457.87 USD\nusage that came later: 1.50 USD, which a note will have: --issue\n"
    )


def test_verification_that_agrees_is_a_line_a_bill() -> None:
    bill = VerifiedBill(7, "shop", "2026-10", Decimal("1224.50"), Decimal("1224.50"))
    verification = Verification((bill,))
    assert verification.agrees
    assert render_verification(verification) == (
        "agrees: bill 7 of shop for 2026-10: charged so far 1,224.50, recomputed 1,224.50\n"
        "1 bill recomputed, 0 differences\n"
    )


def test_verification_that_differs_says_where() -> None:
    difference = "web cpu: charged 0.60, recomputed 0.59"
    bill = VerifiedBill(7, "shop", "2026-10", Decimal("0.60"), Decimal("0.59"), (difference,))
    verification = Verification((bill,), ("numbers of issuer acme have a gap",))
    assert not verification.agrees
    assert render_verification(verification).splitlines() == [
        "differs: bill 7 of shop for 2026-10: charged so far 0.60, recomputed 0.59",
        f"  problem: {difference}",
        "problem: numbers of issuer acme have a gap",
        "1 bill recomputed, 2 differences",
    ]


def test_problem_of_the_journal_alone_does_not_agree() -> None:
    assert not Verification((), ("posting acme/1 is not balanced",)).agrees


def test_credit_note_is_shown_below_zero() -> None:
    credit = dataclasses.replace(
        NOTE,
        kind="credit_note",
        lines=(dataclasses.replace(NOTE.lines[0], amount=Decimal("-1234.60")),),
        net=Decimal("-1234.60"),
        tax=Decimal("-234.57"),
        total=Decimal("-1469.17"),
    )
    shown = render_statement(statement(INVOICE, credit))
    assert "Credit note 9 to invoice 7" in shown
    assert "-1,234.60" in shown
    assert "2026-10 comes to -12.01 USD" in shown


def test_month_in_which_nothing_was_used_is_an_invoice_of_nothing() -> None:
    empty = dataclasses.replace(INVOICE, lines=(), net=Decimal("0.00"), tax=Decimal("0.00"), total=Decimal("0.00"))
    shown = render_statement(statement(empty)).splitlines()
    assert [line.split()[0] for line in shown[1:]] == ["service", "net", "tax", "total"]
    assert shown[-1].split()[-1] == "0.00"
