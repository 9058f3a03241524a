"""Command `drain`: take instances from the traffic at once, let their requests end, and have others in their place."""

from __future__ import annotations

import time

import click

from runyard.cli.live import Target, find_service, of_service, orchestrator_of
from runyard.cli.output import Output, reporting
from runyard.cli.restart import choose_instances, describe, render_text, wait_for_end
from runyard.contracts import DrainRequest


@click.command()
@of_service
@click.argument("instances", nargs=-1, metavar="[INSTANCE]...")
@click.option(
    "--timeout", "timeout_s", type=click.IntRange(1, 3600), default=300, show_default=True, metavar="SECONDS",
    help="How long to wait for the end; what was begun goes on.",
)  # fmt: skip
@reporting()
def drain(target: Target, instances: tuple[str, ...], timeout_s: int, out: Output) -> None:
    """Take the instances of SERVICE, or INSTANCEs as `runyard ps` names them, from its traffic at once.

    They get no more requests, end those that they have, and are stopped and replaced. `runyard restart` has another one
    serve before each goes; this is for what must get nothing more now. Where none is left, requests wait for the next.
    """
    with orchestrator_of(target.stack) as orchestrator:
        find_service("drain", orchestrator.services(), target)
        began = time.monotonic()
        asked = choose_instances("drain", orchestrator, target, instances)
        gone = orchestrator.drain(DrainRequest(target.tenant, target.service, asked)).instances if asked else ()
        wait_for_end("drain", orchestrator, target, gone, timeout_s)
        took_s = time.monotonic() - began
    out.show(
        lambda: describe(target, gone, took_s, "drained"),
        lambda: render_text(target, gone, took_s, "drained", " and replaced"),
    )
