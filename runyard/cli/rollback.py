"""Command `rollback`: move a service's traffic to an earlier revision now, and say how to keep it there."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict
from typing import Any

import click

from runyard.cli.output import Output, reporting
from runyard.contracts import OrchestratorStatus, RollbackRequest, ServiceStatus
from runyard.errors import NotFound
from runyard.host import Engine, Orchestrator
from runyard.names import DEFAULT_TENANT, service_key
from runyard.plan.outlook import render_shares


@click.command()
@click.argument("service")
@click.argument("revision", required=False)
@click.option("-t", "--tenant", default=DEFAULT_TENANT, show_default=True, help="The tenant whose service it is.")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack that it runs in.")
@click.option(
    "--timeout", "timeout_s", type=click.IntRange(1, 3600), default=60, show_default=True, metavar="SECONDS",
    help="How long the revision may take to become ready; nothing is moved before it is.",
)  # fmt: skip
@reporting()
def rollback(service: str, revision: str | None, tenant: str, stack: str, timeout_s: int, out: Output) -> None:
    """Move all traffic of SERVICE to REVISION, by default the one before the newest that has any.

    Tags stay where they are. The next `pulumi preview` shows the difference from the manifest, and the next update
    puts the manifest's traffic in force again.
    """
    with Engine() as engine, closing(Orchestrator(engine, stack)) as orchestrator:
        before = find_service(orchestrator.status(), tenant, service)
        # Asked for by name: a request whose answer is lost is repeated, and must not go back twice.
        wanted = RollbackRequest(tenant, service, revision or revision_before(before), timeout_s)
        began = time.monotonic()
        orchestrator.roll_back(wanted)
        took_s = time.monotonic() - began
        after = find_service(orchestrator.status(), tenant, service)
    out.show(lambda: describe(before, after, took_s), lambda: render_text(before, after, took_s))


def find_service(status: OrchestratorStatus, tenant: str, service: str) -> ServiceStatus:
    """Give a service of a stack's status; NotFound names those that there are."""
    for each in status.services:
        if (each.tenant, each.service) == (tenant, service):
            return each
    known = ", ".join(service_key(each.tenant, each.service) for each in status.services) or "none"
    raise NotFound(f"rollback {service_key(tenant, service)}: must be a service of the stack ({known})")


def revision_before(service: ServiceStatus) -> str:
    """Give the revision before the newest that has a share or is getting one; asking again goes further back."""
    shares = [share.revision for share in service.goal if share.percent]
    places = [place for place, name in enumerate(service.history) if name in shares]
    earlier = service.history[min(places, default=-1) + 1 :]
    if not earlier:
        where = f"rollback {service_key(service.tenant, service.service)}"
        raise NotFound(f"{where}: no revision is kept from before {', '.join(shares) or 'the first'}")
    return earlier[0]


def render_text(before: ServiceStatus, after: ServiceStatus, took_s: float) -> str:
    """Say what was done, and what the manifest must say for it to last."""
    lines = [
        f"{service_key(after.tenant, after.service)}: {render_shares(after.traffic)} after {took_s:.2f} s, "
        f"before: {render_shares(before.traffic)}",
        "The next update puts the manifest's traffic in force again; to keep this, say in the Service's spec:",
        "  traffic:",
    ]
    for share in after.traffic:
        percent = f", percent: {share.percent}" if share.percent else ""
        tag = f", tag: {share.tag}" if share.tag else ""
        lines.append(f"  - {{revisionName: {share.revision}{percent}{tag}}}")
    return "\n".join(lines)


def describe(before: ServiceStatus, after: ServiceStatus, took_s: float) -> dict[str, Any]:
    """Describe the traffic before and after as plain data, and after how many seconds it had moved."""
    return {
        "tenant": after.tenant,
        "service": after.service,
        "before": [asdict(share) for share in before.traffic],
        "after": [asdict(share) for share in after.traffic],
        "tookSeconds": round(took_s, 3),
    }
