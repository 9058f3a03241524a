"""Page: a month's bills as one HTML page without anything from elsewhere, from `templates/invoice`, and as PDF."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runyard.contracts import Statement
from runyard.errors import UsageError
from runyard.invoices import wording
from runyard.invoices.chart import HEIGHT, WIDTH, draw_chart

TEMPLATES_DIRECTORY = Path(__file__).resolve().parents[2] / "templates" / "invoice"


def render_page(statement: Statement) -> str:
    """Render a statement as HTML; whatever a name holds is text there."""
    chart = draw_chart(statement.month, statement.days)
    return (
        _environment()
        .get_template("invoice.html.j2")
        .render(statement=statement, chart=chart, width=WIDTH, height=HEIGHT, wording=wording)
    )


def render_pdf(statement: Statement) -> bytes:
    """Render the same page as PDF/A-3b (ISO 19005-3), for archives; UsageError where WeasyPrint cannot be loaded."""
    try:
        # Here: it takes longer to load than most commands run, and the libraries that it calls may be lacking.
        from weasyprint import HTML
    except (ImportError, OSError) as error:
        raise UsageError(f"render PDF: WeasyPrint must be installed with its libraries (Pango): {error}") from error
    # Nothing is fetched: the page has all that it needs.
    pdf: bytes = HTML(string=render_page(statement), url_fetcher=_fetch_nothing).write_pdf(pdf_variant="pdf/a-3b")
    return pdf


def _fetch_nothing(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f"an invoice needs nothing from elsewhere, got {url}")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES_DIRECTORY),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["amount"] = wording.amount
    environment.filters["number"] = wording.number
    return environment
