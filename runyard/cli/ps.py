"""Command `ps`: the instances of a live stack, their states and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from runyard import table
from runyard.cli.live import Target, find_service, orchestrator_of, render_override, render_standing
from runyard.cli.output import Output, reporting
from runyard.contracts import InstanceList, InstanceStatus, OrchestratorStatus, RevisionStatus, ServiceList
from runyard.names import DEFAULT_TENANT, service_key

_HEAD = ("service", "revision", "instance", "state", "address", "note")


@click.command()
@click.argument("service", required=False)
@click.option("-t", "--tenant", default=DEFAULT_TENANT, show_default=True, help="The tenant whose service it is.")
@click.option("-s", "--stack", default="dev", show_default=True, help="The stack to look at.")
@reporting()
def ps(service: str | None, tenant: str, stack: str, out: Output) -> None:
    """List the instances of SERVICE, or of all services of the stack; what has none is listed with a dash."""
    with orchestrator_of(stack) as orchestrator:
        services, status, instances = orchestrator.services(), orchestrator.status(), orchestrator.instances()
    keep = None
    if service is not None:
        target = Target(tenant, service, stack)
        find_service("ps", services, target)
        keep = target.name
    found = choose(services, status, instances, keep)
    out.show(
        lambda: describe(*found),
        lambda: render_text(*found),
        markdown=lambda: "\n".join(table.render_markdown(_HEAD, rows(*found))),
    )


def choose(
    services: ServiceList, status: OrchestratorStatus, instances: InstanceList, keep: str | None
) -> tuple[ServiceList, Sequence[RevisionStatus], Sequence[InstanceStatus]]:
    """Leave what is of a service, `tenant/service`; None leaves all."""

    def kept(each: Any) -> bool:
        return keep is None or service_key(each.tenant, each.service) == keep

    return (
        ServiceList(tuple(filter(kept, services.services)), tuple(filter(kept, services.overrides))),
        tuple(filter(kept, status.revisions)),
        tuple(filter(kept, instances.instances)),
    )


def rows(
    services: ServiceList, revisions: Sequence[RevisionStatus], instances: Sequence[InstanceStatus]
) -> list[tuple[str, ...]]:
    """Give a row for each instance, and one for each revision that has none, by service and revision."""
    found: list[tuple[str, ...]] = [
        (service_key(each.tenant, each.service), each.revision, each.instance, each.state, each.address, _note(each))
        for each in instances
    ]
    running = {(each.tenant, each.revision) for each in instances if not each.run}
    for each in revisions:
        if (each.tenant, each.revision) not in running:
            # None are wanted: a request wakes it, or its number is 0. Some are: the reason says why it cannot start.
            state = "asleep" if each.asleep else "none wanted" if each.desired == 0 else f"none of {each.desired}"
            found.append((service_key(each.tenant, each.service), each.revision, "-", state, "-", each.reason))
    # Stable: the instances of a revision stay by age.
    return sorted(found, key=lambda row: row[:2])


def render_text(services: ServiceList, revisions: Sequence[RevisionStatus], instances: Sequence[InstanceStatus]) -> str:
    """Render a table, and a line for each count that was set by hand."""
    found = rows(services, revisions, instances)
    lines = table.render_columns([_HEAD, *found]) if found else ["nothing runs"]
    for each in services.overrides:
        lines.append(f"{service_key(each.tenant, each.service)}: {render_override(each)}")
    for service in services.services:
        lines += [f"{service_key(service.tenant, service.service)}: {line}" for line in render_standing(service)]
    return "\n".join(lines)


def describe(
    services: ServiceList, revisions: Sequence[RevisionStatus], instances: Sequence[InstanceStatus]
) -> dict[str, Any]:
    """Describe instances, revisions and counts by hand as plain data."""
    return {
        "instances": [asdict(each) for each in instances],
        "revisions": [asdict(each) for each in revisions],
        "overrides": [asdict(each) for each in services.overrides],
        "paused": {
            service_key(each.tenant, each.service): each.paused_until_unix_s
            for each in services.services
            if each.paused_until_unix_s
        },
    }


def _note(instance: InstanceStatus) -> str:
    words = ["run"] if instance.run else []
    words += [instance.reason] if instance.reason else []
    return "; ".join([*words, *(["to be restarted"] if instance.restarting and instance.state != "ending" else [])])
