"""Command `dash`: a service's or the platform's panels in a terminal, live, with what is wrong first."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from runyard import files
from runyard.cli.live import Target, find_service, orchestrator_of, render_standing
from runyard.cli.output import Output, reporting
from runyard.cli.screen import ASCII, BLOCKS, Screen, render_screen
from runyard.contracts import OrchestratorStatus, RevisionStatus, ServiceList
from runyard.dashboards import (
    ALERTS,
    DASHBOARDS,
    PLATFORM,
    SERVICE,
    Alert,
    Ask,
    Dashboard,
    Span,
    parse_alerts,
    read_dashboard,
    span_until,
)
from runyard.errors import RunyardError, UsageError
from runyard.host import Engine
from runyard.host.prometheus import PrometheusHost
from runyard.names import DEFAULT_TENANT, service_key
from runyard.plan.outlook import render_shares
from runyard.units import render_count

# Of a report that nobody looks at in a terminal.
_WIDTH = 100
_BY_ID = {each.id: each for each in DASHBOARDS}


@click.command()
@click.argument("service", required=False)
@click.option("-t", "--tenant", default=DEFAULT_TENANT, show_default=True, help="The tenant whose service it is.")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack to look at.")
@click.option("-d", "--dashboard", type=click.Choice([*_BY_ID]), help="Another one than of SERVICE or the platform.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=30, show_default=True, help="How far back.")
@click.option("--every", type=click.IntRange(1, 300), default=5, show_default=True, help="Look so often, in seconds.")
@click.option("--grafana", type=click.Path(path_type=Path, file_okay=False), help="Write files for a Grafana here.")
@click.option("--url", default="http://127.0.0.1:9090", show_default=True, help="Where Grafana reaches Prometheus.")
@click.option("--once", is_flag=True, help="Look once, as where stdout is no terminal.")
@reporting()
def dash(service: str | None, tenant: str, stack: str, dashboard: str | None, out: Output, **asked: Any) -> None:
    """Show the panels of SERVICE, or of the whole platform, and what is wrong first; Ctrl-C ends it.

    Metrics are those that Prometheus of the stack keeps: its Platform says `observability: {level: basic}`. With
    --grafana nobody is asked: all dashboards are written as a Grafana of yours reads them.
    """
    if (directory := asked["grafana"]) is not None:
        written = write_grafana(directory, asked["url"])
        out.show(lambda: {"files": written}, lambda: "\n".join(f"wrote {each}" for each in written))
        return
    look = Look(choose(dashboard, service), Target(tenant, service or "", stack), asked["minutes"])
    with orchestrator_of(stack) as orchestrator, metrics_of(stack) as ask:
        if asked["once"] or out.form != "text" or not is_lively(os.isatty(1), os.environ):
            seen = look.see(orchestrator.status, ask, time.time())
            out.show(lambda: describe(seen), lambda: render_text(seen.screen))
        else:
            console = Console(no_color=None if out.colour else True, highlight=False)
            show_live(lambda: look.see(orchestrator.status, ask, time.time()).screen, asked["every"], console)


def write_grafana(directory: Path, url: str) -> list[str]:
    """Write all dashboards, and what provisions them, and name the files; UsageError where that cannot be done."""
    # Imported here because nobody else needs it, and an installation of the command alone has it not.
    try:
        from runyard.grafana import render_files
    except ModuleNotFoundError as error:
        raise UsageError(f"dash --grafana: needs the extra runyard[grafana]: {error}") from error
    written = []
    for name, text in render_files(DASHBOARDS, url).items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, text.encode())
        except OSError as error:
            raise UsageError(f"write {path}: {error.strerror}") from error
        written.append(str(path))
    return written


@contextmanager
def metrics_of(stack: str) -> Iterator[Ask]:
    """Give what asks the Prometheus of a stack, and close what was opened for it."""
    with Engine() as engine, closing(PrometheusHost(engine, stack)) as prometheus:
        yield prometheus.ask


def choose(name: str | None, service: str | None) -> Dashboard:
    """Give the dashboard that was asked for; UsageError where it is of a service and none is named."""
    chosen = _BY_ID[name] if name else SERVICE if service else PLATFORM
    if ("service" in chosen.scope) != bool(service):
        what = "must name a SERVICE" if "service" in chosen.scope else f"is of no service, got {service}"
        raise UsageError(f"dash: {chosen.id} {what}")
    return chosen


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found at a moment."""

    look: Look
    span: Span
    screen: Screen


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: a dashboard, of a target whose service may be empty, so far back."""

    dashboard: Dashboard
    target: Target
    minutes: int

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of what is looked at."""
        return {each: getattr(self.target, each) for each in self.dashboard.scope}

    def see(self, status: Callable[[], OrchestratorStatus], ask: Ask, now_s: float) -> Seen:
        """Look; NotFound without such a service or without metrics, HostError where a part does not answer."""
        alerts = parse_alerts(ask(ALERTS))
        found = status()
        of_service = "service" in self.labels
        heads = service_heads(found, self.target) if of_service else platform_heads(found, self)
        span = span_until(now_s, self.minutes)
        panels = read_dashboard(self.dashboard, self.labels, span, ask)
        return Seen(self, span, Screen(heads, [*problems_of(found, alerts, self.labels)], panels, self.minutes))


def service_heads(found: OrchestratorStatus, target: Target) -> list[str]:
    """Say which service it is, where it answers, and what holds for it now; NotFound without it."""
    service = find_service("dash", ServiceList(found.services), target)
    revisions = [each for each in found.revisions if (each.tenant, each.service) == (target.tenant, target.service)]
    return [
        f"{target.name}  {render_ready(revisions)}  {render_shares(service.traffic)}",
        " ".join(service.hosts),
        *render_standing(service),
    ]


def platform_heads(found: OrchestratorStatus, look: Look) -> list[str]:
    """Say which stack it is, or which tenant of it, and how many instances it has."""
    tenant = look.labels.get("tenant")
    services = [each for each in found.services if tenant in (None, each.tenant)]
    counts = render_ready([each for each in found.revisions if tenant in (None, each.tenant)])
    whose = f"tenant {tenant} of stack {look.target.stack}" if tenant else f"stack {look.target.stack}"
    return [f"{whose}  {render_count(len(services), 'service')}, {counts}"]


def render_ready(revisions: Sequence[RevisionStatus]) -> str:
    """Say how many instances of revisions are ready, of how many that they should have."""
    ready, desired = sum(each.ready for each in revisions), sum(each.desired for each in revisions)
    return f"{ready} of {render_count(desired, 'instance')} ready"


def problems_of(found: OrchestratorStatus, alerts: list[Alert], labels: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong with what has these labels, what is down before what is told of it."""
    mine = [
        each for each in found.revisions if labels.items() <= {"tenant": each.tenant, "service": each.service}.items()
    ]
    for each in mine:
        if each.reason and each.ready < each.desired:
            name = service_key(each.tenant, each.revision)
            yield f"{name}: {render_ready([each])}: {each.reason}"
    if not labels:
        yield from found.problems
        # What is between two states is being made anew.
        faulty = [each for each in found.parts if each.state not in ("running", "between")]
        yield from (f"part {each.name} is {each.state}: {each.reason}" for each in faulty)
    for alert in alerts:
        if labels.items() <= alert.labels.items():
            yield f"{alert.severity}: {alert.summary}: {alert.description} ({alert.runbook})"


def describe(seen: Seen) -> dict[str, Any]:
    """Describe what was seen as plain data; a line's values are at the moments of the span."""
    return {
        "dashboard": seen.look.dashboard.id,
        "labels": {**seen.look.labels},
        "span": {"start_unix_s": seen.span.start_s, "end_unix_s": seen.span.end_s, "step_s": seen.span.step_s},
        "problems": [*seen.screen.problems],
        "panels": [
            {
                "id": each.panel.id,
                "title": each.panel.title,
                "unit": each.panel.unit,
                "lines": [
                    {"name": line.name, "labels": {**line.labels}, "values": [*line.values]} for line in each.lines
                ],
            }
            for each in seen.screen.panels
        ],
    }


def render_text(screen: Screen) -> str:
    """Render a screen once, as wide as the terminal."""
    width = shutil.get_terminal_size((_WIDTH, 0)).columns
    return "\n".join(each.plain for each in render_screen(screen, width, signs_for(Console().encoding)))


def signs_for(encoding: str | None) -> str:
    """Give the signs that an encoding can show."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return BLOCKS


def is_lively(terminal: bool, environment: Mapping[str, str]) -> bool:
    """Tell whether an output can be written anew in place."""
    return terminal and environment.get("TERM", "dumb") not in ("dumb", "unknown")


@dataclass
class _Drawing:
    """A screen as rich asks for it: as wide and high as the terminal is just now."""

    screen: Screen
    signs: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines, height = render_screen(self.screen, options.max_width, self.signs), console.height
        if len(lines) > height:
            lines[height - 1 :] = [Text(f"and {len(lines) - height + 1} lines more than fit", "dim")]
        yield from lines


def show_live(
    see: Callable[[], Screen], every_s: float, console: Console, wait: Callable[[float], None] = time.sleep
) -> None:
    """Show a screen until Ctrl-C, looked at anew so often; what fails on the way is shown above what was seen last."""
    seen = see()
    drawing = _Drawing(seen, signs_for(console.encoding))
    try:
        # Drawn anew twice a second, so that it fits a terminal whose size has changed.
        with Live(drawing, console=console, screen=True, refresh_per_second=2) as live:
            while True:
                wait(every_s)
                try:
                    drawing.screen = seen = see()
                except RunyardError as error:
                    drawing.screen = replace(seen, problems=[str(error), *seen.problems])
                live.refresh()
    except KeyboardInterrupt:
        return
