"""Command `simulate`: how manifests scale under a trace, with the decision that scales them live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from runyard import zones
from runyard.cli.cost import parse_day
from runyard.cli.live import orchestrator_of
from runyard.cli.output import Output, reporting
from runyard.errors import NotFound, UsageError
from runyard.files import write
from runyard.forecast.picture import render_picture
from runyard.forecast.recorded import recorded_load
from runyard.forecast.simulation import Load, Simulated, simulate_service
from runyard.forecast.simulation_report import describe_simulations, render_simulations
from runyard.forecast.traces import parse_trace
from runyard.git.side import DEFAULT_PATH
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.manifest.sources import load_text
from runyard.names import DNS_LABEL, service_key
from runyard.plan import plan
from runyard.scaling.trace import SHAPES

# The trace that is no file and no shape: what the running stack has of the last week.
RECORDED = "recorded"


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH... | SERVICE")
@click.option("--trace", metavar="FILE|SHAPE", help=f"CSV, {', '.join(SHAPES)} [default: day], or {RECORDED}.")
@click.option("--service", "only", metavar="[TENANT/]NAME", help="The one service to simulate; all by default.")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack whose load was recorded.")
@click.option("--peak", type=click.FloatRange(0.001, 1e6), help="Requests a second of a shape's peak.")
@click.option(
    "--request-ms",
    type=click.FloatRange(1, 3.6e6),
    default=100,
    show_default=True,
    help="Time of a request, where the trace does not tell it.",
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
    trace: str | None,
    only: str | None,
    stack: str,
    peak: float | None,
    request_ms: float,
    start_ms: float,
    repeat: int,
    picture: str | None,
    day: str | None,
    out: Output,
) -> None:
    """Show how services scale under a trace: instances, cold starts, response times and cost.

    SERVICE stands for that service of ./manifests under the load that the running stack recorded in the last week, as
    `--trace recorded` does for other manifests.
    """
    paths, only, trace = _named(paths, only, trace)
    load_of = _loads(trace, stack, Load(trace, None, peak, request_ms / 1000, start_ms / 1000, repeat), out)
    found = _simulate(load(paths).manifests, only, load_of, parse_day(day), pictured=picture is not None)
    if picture is not None:
        write(Path(picture), render_picture(found[0]))
    out.show(lambda: describe_simulations(found), lambda: render_simulations(found))


def _named(paths: tuple[str, ...], only: str | None, trace: str | None) -> tuple[tuple[str, ...], str | None, str]:
    """Give the manifests, the one service and the trace that are asked for, where a service may stand for all three."""
    parts = paths[0].split("/")
    if len(paths) > 1 or only is not None or Path(paths[0]).exists():
        return paths, only, trace or "day"
    if len(parts) > 2 or not all(map(DNS_LABEL.fullmatch, parts)):
        return paths, only, trace or "day"
    return (DEFAULT_PATH,), paths[0], trace or RECORDED


def _loads(trace: str, stack: str, asked: Load, out: Output) -> Callable[[Sequence[str]], Mapping[str, Load]]:
    """Give what finds the load of services, by `tenant/service`; one of which nothing is recorded has none."""
    if trace not in SHAPES and asked.peak_rps is not None:
        raise UsageError(f"--peak: must be given with a shape alone, got it with the trace {trace}")
    if trace == RECORDED:
        return lambda services: _recorded(services, stack, asked, out)
    if trace not in SHAPES:
        asked = replace(asked, batches=parse_trace(trace, load_text(trace), asked.request_s))
    return lambda services: dict.fromkeys(services, asked)


def _recorded(services: Sequence[str], stack: str, asked: Load, out: Output) -> Mapping[str, Load]:
    found = {}
    with orchestrator_of(stack) as orchestrator:
        for key in services:
            tenant, _, name = key.partition("/")
            recorded = recorded_load(orchestrator.recorded_load(tenant, name), asked.start_s)
            if recorded is not None:
                found[key] = replace(recorded, repeated=asked.repeated)
    if not found:
        raise NotFound(f"simulate {', '.join(services)}: stack {stack} has recorded no request within the last week")
    out.warn([f"{key}: left out, no request is recorded of it" for key in services if key not in found])
    return found


def _simulate(
    manifests: Manifests,
    only: str | None,
    load_of: Callable[[Sequence[str]], Mapping[str, Load]],
    day: str,
    *,
    pictured: bool,
) -> list[Simulated]:
    services = {service_key(each.tenant, each.name): each for each in manifests.services}
    known = sorted(key for key in services if only is None or only in (key, key.partition("/")[2]))
    if not known:
        raise UsageError(f"--service: must be one of {', '.join(sorted(services)) or 'no service'}, got {only}")
    loads = load_of(known)
    if pictured and len(loads) != 1:
        raise UsageError(f"--picture: must be of one service, got {len(loads)}: name it with --service")
    plans = {service_key(each.tenant, each.name): each for each in plan(manifests).services}
    midnight = zones.parse_day(day).utc_s
    return [
        simulate_service(
            services[key], *plans[key].scaling(each.begins(midnight), each.length_s), each, (manifests, day)
        )
        for key, each in loads.items()
    ]
