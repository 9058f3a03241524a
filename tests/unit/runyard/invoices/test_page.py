"""The page and the PDF of a month: what they show, and that names are text in them."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import re
import zlib

import pytest

from runyard.invoices import render_page, render_pdf
from runyard.invoices.wording import ROUNDING
from tests.unit.runyard.invoices.example import DRAFT, INVOICE, LINES, NOTE, statement


def words(page: str) -> str:
    """Give what a reader sees of a page, in one line."""
    body = page.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_page_shows_every_line_with_its_quantities_and_the_sums() -> None:
    shown = words(render_page(statement(INVOICE)))
    assert "Invoice 7 Billed to shop" in shown
    assert "Month 2026-10 Issued 2026-11-01 Currency USD" in shown
    assert (
        "api CPU active: 1,234,567.25 vCPU-seconds, 1,000,000 due \u00d7 0.000024 "
        "idle: 60 vCPU-seconds \u00d7 0.0000025 1 to 15 24.00" in shown
    )
    assert "Net 1,224.50 Tax, 19 % 232.66 Total 1,457.16" in shown
    assert ROUNDING in shown


def test_page_names_a_service_once_and_what_a_note_corrects() -> None:
    shown = words(render_page(statement(INVOICE, NOTE)))
    assert shown.count("api") == 2, "once in the table, once in the chart's legend"
    assert "Debit note 9 to invoice 7" in shown
    assert "CPU corrects line 3 active" in shown


def test_draft_says_that_it_is_one_and_what_is_off() -> None:
    shown = words(render_page(statement(DRAFT)))
    assert "Issued not yet" in shown
    assert "A draft: what an invoice would say if it were issued now." in shown
    assert "Discount, in the lines already 12.5 %" in shown


def test_chart_is_left_out_where_nothing_cost_anything() -> None:
    assert "Cost by day" in render_page(statement(INVOICE))
    assert "Cost by day" not in render_page(statement(INVOICE, days=()))


def test_invoice_without_lines_says_so() -> None:
    assert "Nothing was used." in words(render_page(statement(dataclasses.replace(INVOICE, lines=()))))


def test_names_are_text_in_the_page() -> None:
    evil = '<script>alert("1")</script>'
    bill = dataclasses.replace(INVOICE, issuer=evil, lines=(dataclasses.replace(LINES[0], service=evil),))
    page = render_page(dataclasses.replace(statement(bill), tenant=evil))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3


def test_page_needs_nothing_from_elsewhere() -> None:
    page = render_page(statement(INVOICE, NOTE))
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import""", page)


def streams(pdf: bytes) -> bytes:
    """Give everything that a PDF holds, out of its compressed streams."""
    found = []
    for each in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            found.append(zlib.decompress(each))
    return b"\n".join(found)


# The library leaves the colour profile that such a PDF holds to the collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_pdf_is_one_for_archives_and_breaks_before_each_bill() -> None:
    one, two = (render_pdf(statement(*bills)) for bills in ((INVOICE,), (INVOICE, NOTE)))
    gc.collect()
    assert one.startswith(b"%PDF-1.7")
    assert re.search(rb"pdfaid:part\W+3\b", streams(one) + one)
    counts = [int(re.search(rb"/Count (\d+)", streams(each) + each)[1]) for each in (one, two)]  # type: ignore[index]
    assert counts == [1, 2]
