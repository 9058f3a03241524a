"""Command `simulate`: how manifests scale under a trace, with the decision that scales them live."""

from __future__ import annotations

from pathlib import Path

import click

from runyard import zones
from runyard.cli.cost import parse_day
from runyard.cli.output import Output, reporting
from runyard.errors import UsageError
from runyard.files import write
from runyard.forecast.picture import render_picture
from runyard.forecast.simulation import Load, Simulated, simulate_service
from runyard.forecast.simulation_report import describe_simulations, render_simulations
from runyard.forecast.traces import parse_trace
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.manifest.sources import load_text
from runyard.names import service_key
from runyard.plan import plan
from runyard.scaling.counts import revision_span, settings_of, with_scheduled
from runyard.scaling.schedule import minimums
from runyard.scaling.settings import scaling_settings
from runyard.scaling.trace import SHAPES


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--trace", default="day", show_default=True, metavar="FILE|SHAPE", help=f"CSV, or {', '.join(SHAPES)}.")
@click.option("--service", "only", metavar="[TENANT/]NAME", help="The one service to simulate; all by default.")
@click.option("--peak", type=click.FloatRange(0.001, 1e6), help="Requests a second of a shape's peak.")
@click.option(
    "--request-ms", type=click.FloatRange(1, 3.6e6), default=100, show_default=True, help="Time of a request."
)
@click.option("--start-ms", type=click.FloatRange(0, 6e5), default=300, show_default=True, help="Time of a start.")
@click.option("--repeat", type=click.IntRange(1, 400), default=1, show_default=True, help="How often the trace comes.")
@click.option("--picture", metavar="FILE.svg", help="Draw it; the manifests then have one service, or --service one.")
@click.option(
    "--date", "day", metavar="YYYY-MM-DD", help="Day (UTC) that the trace begins with and is priced at; today."
)
@reporting()
def simulate(  # noqa: PLR0913 - click gives one parameter for each option
    paths: tuple[str, ...],
    trace: str,
    only: str | None,
    peak: float | None,
    request_ms: float,
    start_ms: float,
    repeat: int,
    picture: str | None,
    day: str | None,
    out: Output,
) -> None:
    """Show how services scale under a trace: instances, cold starts, response times and cost."""
    request_s = request_ms / 1000
    batches = None if trace in SHAPES else parse_trace(trace, load_text(trace), request_s)
    if batches is not None and peak is not None:
        raise UsageError(f"--peak: must be given with a shape alone, got it with the trace {trace}")
    asked = Load(trace, batches, peak, request_s, start_ms / 1000, repeat)
    found = _simulate(load(paths).manifests, only, asked, parse_day(day))
    if picture is not None:
        if len(found) != 1:
            raise UsageError(f"--picture: must be of one service, got {len(found)}: name it with --service")
        write(Path(picture), render_picture(found[0]))
    out.show(lambda: describe_simulations(found), lambda: render_simulations(found))


def _simulate(manifests: Manifests, only: str | None, asked: Load, day: str) -> list[Simulated]:
    services = {service_key(each.tenant, each.name): each for each in manifests.services}
    known = sorted(key for key in services if only is None or only in (key, key.partition("/")[2]))
    if not known:
        raise UsageError(f"--service: must be one of {', '.join(sorted(services)) or 'no service'}, got {only}")
    plans = {service_key(each.tenant, each.name): each for each in plan(manifests).services}
    found = []
    for key in known:
        document, rollout = plans[key].revision.document, plans[key].rollout
        begins = zones.parse_day(day).utc_s
        # One revision has all of the traffic, and no more is kept than is asked for.
        spans = [
            (at - begins, revision_span(settings_of(document, with_scheduled(rollout, count)), 100))
            for at, count in minimums(rollout.schedule, begins, begins + asked.length_s)
        ]
        found.append(simulate_service(services[key], scaling_settings(document), spans, asked, (manifests, day)))
    return found
