"""`runyard status`: what the orchestrator sees, for people and for programs."""

from __future__ import annotations

from contextlib import closing

import click

from runyard import contracts
from runyard.contracts import OrchestratorStatus, RevisionStatus
from runyard.host import Engine, Orchestrator


@click.command()
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack to look at.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(stack: str, output: str) -> None:
    """Show a live stack's services, their traffic, and their revisions with the reason of the last failure."""
    with Engine() as engine, closing(Orchestrator(engine, stack)) as orchestrator:
        found = orchestrator.status()
    click.echo(contracts.encode(found) if output == "json" else render_status(found))


def render_status(found: OrchestratorStatus) -> str:
    """Render a line for each service, and under it one for each of its revisions."""
    lines = []
    for service in found.services:
        shares = ", ".join(
            f"{share.percent}% {share.revision}" + (f" ({share.tag})" if share.tag else "") for share in service.traffic
        )
        lines.append(f"{service.tenant}/{service.service}  {' '.join(service.hosts)}  {shares or 'no traffic'}")
        revisions = [
            each for each in found.revisions if (each.tenant, each.service) == (service.tenant, service.service)
        ]
        for revision in revisions:
            lines += _revision_lines(revision)
    step = "in step" if found.in_step else "not in step"
    lines.append(f"{len(found.services)} services, {step} with the gateway at generation {found.generation}")
    return "\n".join(lines)


def _revision_lines(revision: RevisionStatus) -> list[str]:
    lines = [f"  {revision.revision}  {revision.ready}/{revision.desired} ready, {revision.restarts} restarts"]
    if revision.reason:
        lines.append(f"    {revision.reason}")
        lines += [f"    | {line}" for line in revision.logs]
    return lines
