"""Command `invoice`: what a tenant pays for a month, as text, data, a page or a PDF; and whether all of it is right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runyard import files
from runyard.cli.output import Output, reporting
from runyard.codec import encode
from runyard.errors import UsageError, VerifyError
from runyard.host import Engine
from runyard.host.ledger import Ledger
from runyard.invoices import render_focus, render_page, render_pdf, render_statement, render_verification


@click.command()
@click.argument("tenant", required=False)
@click.argument("month", required=False, metavar="[YYYY-MM]")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose ledger is asked.")
@click.option("--issue", is_flag=True, help="Issue the invoice of a month that is over, or a note of what came later.")
@click.option("--pdf", "pdf_file", metavar="FILE", help="Write the bills as PDF/A-3b, too.")
@click.option("--focus", "focus_file", metavar="FILE", help="Write the bills as CSV of FOCUS 1.2, too.")
@click.option("--verify", is_flag=True, help="Recompute bills from raw usage by a second path; all by default.")
@click.option("--payment", type=(int, str), metavar="NUMBER AMOUNT", help="Note that a bill was paid, or a part of it.")
@click.option("--write-off", type=(int, str), metavar="NUMBER AMOUNT", help="Note that it will not be paid.")
@click.option("--key", default="", help="What names the payment, such as the bank's reference; it counts once.")
@reporting("html")
def invoice(out: Output, tenant: str | None, month: str | None, stack: str, **asked: Any) -> None:
    """Show the invoice of TENANT for a month, with its notes, or a draft while none was issued.

    A month has one invoice, which never changes. Usage that arrives later keeps its own month, and is charged by a note
    that names the lines that it corrects. What was paid of a bill, or is given up, is noted by its NUMBER.
    """
    with Engine() as engine:
        report(Ledger(engine, stack), Asked(tenant or "", month or "", **asked), out)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for."""

    tenant: str = ""
    month: str = ""
    issue: bool = False
    verify: bool = False
    pdf_file: str | None = None
    focus_file: str | None = None
    payment: tuple[int, str] | None = None
    write_off: tuple[int, str] | None = None
    key: str = ""


def report(ledger: Ledger, asked: Asked, out: Output) -> None:
    """Show a month or a verification, or note what settles a bill; VerifyError where a verification differs.

    UsageError where none of them was asked for, or a settlement together with anything else.
    """
    if asked.payment or asked.write_off or asked.key:
        _settle(ledger, asked, out)
        return
    if asked.verify:
        _verify(ledger, asked, out)
        return
    if not (asked.tenant and asked.month):
        raise UsageError("invoice: must be given TENANT and YYYY-MM, --verify, or what settles a bill")
    state = ledger.issue if asked.issue else ledger.state
    statement = state(asked.tenant, asked.month)
    if asked.pdf_file:
        files.write(Path(asked.pdf_file), render_pdf(statement))
    if asked.focus_file:
        files.write(Path(asked.focus_file), render_focus(statement))
    out.show(
        lambda: json.loads(encode(statement)),
        lambda: render_statement(statement),
        html=lambda: render_page(statement),
    )


def _verify(ledger: Ledger, asked: Asked, out: Output) -> None:
    found = ledger.verify(asked.tenant, asked.month)
    agrees = found.agrees
    out.show(lambda: json.loads(encode(found)), lambda: render_verification(found), failed=not agrees)
    if not agrees:
        raise VerifyError("verify invoices: bills must agree with the usage that they were made of")


def _settle(ledger: Ledger, asked: Asked, out: Output) -> None:
    settled = [("payment", asked.payment), ("write_off", asked.write_off)]
    found = [(kind, *what) for kind, what in settled if what]
    others = asked.tenant or asked.month or asked.issue or asked.verify or asked.pdf_file or asked.focus_file
    if len(found) != 1 or not asked.key or others:
        raise UsageError("invoice: must be given one of --payment and --write-off, with --key, and nothing else")
    ((kind, number, amount),) = found
    written = ledger.settle(asked.key, number, kind, amount)
    data = {"key": asked.key, "number": number, "kind": kind, "amount": amount, "written": written}
    noted = f"noted under {asked.key}" if written else f"not noted: {asked.key} was used already"
    out.show(lambda: data, lambda: f"{kind.replace('_', '-')} of {amount} for bill {number}: {noted}")
