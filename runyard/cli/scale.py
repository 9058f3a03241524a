"""Command `scale`: have a number of instances for a while, or let manifest and load decide again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from runyard.cli.live import Duration, Target, find_service, of_service, orchestrator_of, override_of, render_override
from runyard.cli.output import Output, reporting
from runyard.contracts import Override, ScaleRequest, ServiceStatus
from runyard.errors import UsageError
from runyard.names import service_key


@click.command()
@of_service
@click.argument("count", required=False, type=click.IntRange(0))
@click.option(
    "--for", "for_s", type=Duration(), default="1h", show_default=True, metavar="DURATION",
    help="For how long, up to 168h: 90s, 30m or 1h.",
)  # fmt: skip
@click.option("--end", is_flag=True, help="Let manifest and load decide again, before the time is over.")
@reporting()
def scale(target: Target, count: int | None, for_s: int, end: bool, out: Output) -> None:
    """Have COUNT instances of SERVICE for a while, whatever its load; not more than its manifest allows.

    It is kept over restarts, is no drift of the stack, and ends by itself. What is to last belongs into the manifest.
    """
    if (count is None) != end:
        raise UsageError(f"scale: must be given COUNT or --end, got {'both' if end else 'neither'}")
    with orchestrator_of(target.stack) as orchestrator:
        listed = orchestrator.services()
        found = find_service("scale", listed, target)
        before, after = override_of(listed, found), None
        if count is None:
            orchestrator.end_scale(target.tenant, target.service)
        else:
            after = orchestrator.scale(ScaleRequest(target.tenant, target.service, count, for_s))
    out.show(lambda: describe(found, before, after), lambda: render_text(found, before, after))


def render_text(service: ServiceStatus, before: Override | None, after: Override | None) -> str:
    """Say what holds now, and what held before."""
    now, earlier = (
        render_override(each) if each else "as many instances as manifest and load ask for" for each in (after, before)
    )
    was = "" if before is None and after is None else f"; before: {earlier}"
    return f"{service_key(service.tenant, service.service)}: {now}{was}"


def describe(service: ServiceStatus, before: Override | None, after: Override | None) -> dict[str, Any]:
    """Describe the counts by hand before and after as plain data, null for none."""
    return {
        "tenant": service.tenant,
        "service": service.service,
        "before": asdict(before) if before else None,
        "after": asdict(after) if after else None,
    }
