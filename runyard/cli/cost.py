"""Command `cost`: what manifests cost in a month."""

from __future__ import annotations

import datetime

import click

from runyard.cli.output import Output, reporting
from runyard.contracts import Measure
from runyard.errors import UsageError
from runyard.forecast import Usages, parse_usages, price
from runyard.forecast.metered import size, usages_of
from runyard.forecast.report import describe_costs, render_markdown, render_text
from runyard.forecast.sizing_report import describe_sizings, render_sizings, render_sizings_markdown
from runyard.manifest import load
from runyard.manifest.sources import load_text
from runyard.names import service_key


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--usage", "usage_file", metavar="FILE", help="Usage to expect of each service; all are small without.")
@click.option("--date", "day", metavar="YYYY-MM-DD", help="Day whose prices count; today (UTC) by default.")
@click.option("-s", "--stack", help="Expect what the ledger of this stack metered in 28 days, and size services by it.")
@reporting()
def cost(paths: tuple[str, ...], usage_file: str | None, day: str | None, stack: str | None, out: Output) -> None:
    """Show the monthly cost of manifests: idle at minScale, expected, and busy at maxScale.

    With a stack that bills, it says too how much of their time instances were idle, and which limits would do.
    """
    if usage_file and stack:
        raise UsageError("cost: must be given one of --usage and --stack, got both")
    loaded = load(paths)
    manifests = loaded.manifests
    # Of all warnings, those of prices alone make these numbers others than were meant.
    out.warn(each.text() for each in loaded.warnings if each.rule.startswith("pricebook."))
    known = [service_key(service.tenant, service.name) for service in manifests.services]
    measured = _measures(stack) if stack else ()
    usages = usages_of(measured, manifests) if stack else load_usages(usage_file, known)
    costs = price(manifests, parse_day(day), usages)
    sizings = size(manifests, measured, parse_day(day), usages)
    out.show(
        lambda: {**describe_costs(costs, usages), **({"sizing": describe_sizings(sizings)} if stack else {})},
        lambda: render_text(costs, usages) + render_sizings(sizings, costs.currency),
        markdown=lambda: render_markdown(costs, usages) + render_sizings_markdown(sizings, costs.currency),
    )


def _measures(stack: str) -> tuple[Measure, ...]:
    # Imported here because what asks no stack needs no Docker.
    from runyard.host import Engine
    from runyard.host.ledger import Ledger

    with Engine() as engine:
        return Ledger(engine, stack).measures()


def load_usages(file: str | None, known: list[str]) -> Usages:
    """Read a usage file, if one is given; ManifestError carries every problem."""
    if file is None:
        return Usages()
    return parse_usages(file, load_text(file), known)


def parse_day(day: str | None) -> str:
    """Give a day as an ISO date, today (UTC) if none is given; UsageError if it is not one."""
    if day is None:
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        return datetime.date.fromisoformat(day).isoformat()
    except ValueError as error:
        raise UsageError(f"--date: must be a day such as 2026-01-31, got {day!r}") from error
