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
from runyard.invoices import render_page, render_pdf, render_statement, render_verification


@click.command()
@click.argument("tenant", required=False)
@click.argument("month", required=False, metavar="[YYYY-MM]")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose ledger is asked.")
@click.option("--issue", is_flag=True, help="Issue the invoice of a month that is over, or a note of what came later.")
@click.option("--pdf", "pdf_file", metavar="FILE", help="Write the bills as PDF/A-3b, too.")
@click.option("--verify", is_flag=True, help="Recompute bills from raw usage by a second path; all by default.")
@reporting("html")
def invoice(out: Output, tenant: str | None, month: str | None, stack: str, **asked: Any) -> None:
    """Show the invoice of TENANT for a month, with its notes, or a draft while none was issued.

    A month has one invoice, which never changes. Usage that arrives later keeps its own month, and is charged by a note
    that names the lines that it corrects.
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


def report(ledger: Ledger, asked: Asked, out: Output) -> None:
    """Show a month or a verification; UsageError where neither was asked for, VerifyError where it differs."""
    if asked.verify:
        _verify(ledger, asked, out)
        return
    if not (asked.tenant and asked.month):
        raise UsageError("invoice: must be given TENANT and YYYY-MM, or --verify")
    state = ledger.issue if asked.issue else ledger.state
    statement = state(asked.tenant, asked.month)
    if asked.pdf_file:
        files.write(Path(asked.pdf_file), render_pdf(statement))
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
