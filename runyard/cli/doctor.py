"""Command `doctor`: what this host and checkout lack for a stack, before anything is made."""

from __future__ import annotations

import os

import click

from runyard.cli.output import Output, reporting
from runyard.errors import HostError
from runyard.manifest import load
from runyard.manifest.model import Platform
from runyard.plan import plan
from runyard.plan.parts import plan_parts
from runyard.units import render_count
from runyard.verify.doctor.observation import observe
from runyard.verify.doctor.rules import examine


@click.command()
@click.argument("manifests", nargs=-1)
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack that is to run, or runs.")
@reporting()
def doctor(manifests: tuple[str, ...], stack: str, out: Output) -> None:
    """Look at what a stack needs of this host and checkout, and say what mends what is lacking.

    With MANIFESTS, their Platform says which parts and ports it has. The exit code is 1 if anything is lacking; advice
    alone leaves it 0. `runyard verify --host` advises on the safety of the host, and `verify MANIFESTS` looks at what
    runs.
    """
    # Nobody is asked for the inner addresses, which come with the first update.
    parts = plan(load(manifests).manifests, stack).parts if manifests else plan_parts(Platform(), stack, "127.0.0.1")
    report = examine(observe(stack, parts, os.environ))
    out.show(report.describe, report.render, markdown=report.render_markdown, failed=bool(report.lacking))
    if report.lacking:
        raise HostError(f"doctor: {render_count(report.lacking, 'thing')} lacking for stack {stack}, told first above")
