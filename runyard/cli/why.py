"""Command `why`: how many instances a service has, and the last decisions that led there, in words with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from runyard.cli.live import (
    Target,
    find_service,
    of_service,
    orchestrator_of,
    override_of,
    render_override,
    render_standing,
)
from runyard.cli.output import Output, reporting
from runyard.contracts import Override, RevisionStatus, ScalingDecision, ServiceStatus
from runyard.names import service_key
from runyard.units import render_count, render_time


@click.command()
@of_service
@click.option(
    "-n", "--last", type=click.IntRange(1), default=10, show_default=True, help="How many decisions of each revision."
)
@reporting()
def why(target: Target, last: int, out: Output) -> None:
    """Say why SERVICE has as many instances as it has: the last changes of what each revision should have, and why.

    The orchestrator keeps the last 32 of each revision, and begins anew when it is restarted.
    """
    with orchestrator_of(target.stack) as orchestrator:
        listed = orchestrator.services()
        found = find_service("why", listed, target)
        revisions = orchestrator.revisions(target.tenant, target.service).revisions
        decisions = last_of_each(orchestrator.decisions(target.tenant, target.service).decisions, last)
    override = override_of(listed, found)
    out.show(
        lambda: describe(found, override, revisions, decisions),
        lambda: render_text(found, override, revisions, decisions),
    )


def last_of_each(decisions: Sequence[ScalingDecision], count: int) -> list[ScalingDecision]:
    """Leave the last ones of each revision, in the order in which they were made."""
    left: list[ScalingDecision] = []
    for each in reversed(decisions):
        if sum(other.revision == each.revision for other in left) < count:
            left.append(each)
    return left[::-1]


def render_text(
    service: ServiceStatus,
    override: Override | None,
    revisions: Sequence[RevisionStatus],
    decisions: Sequence[ScalingDecision],
) -> str:
    """Render the service, and each revision with its decisions, the last one first."""
    head = service_key(service.tenant, service.service)
    lines = [f"{head}: {render_override(override)}" if override else head]
    lines += [f"  {each}" for each in render_standing(service)]
    names = [each.revision for each in revisions]
    names += sorted({each.revision for each in decisions} - set(names))
    by_name = {each.revision: each for each in revisions}
    for name in names:
        lines.append(f"  {name}: {_state(by_name.get(name))}")
        mine = [each for each in decisions if each.revision == name]
        lines += [
            f"    {render_time(each.at_unix_s)}  {each.before} -> {each.count}: {each.reason}" for each in mine[::-1]
        ]
        if not mine:
            lines.append("    no decision since the orchestrator was started")
    return "\n".join(lines)


def describe(
    service: ServiceStatus,
    override: Override | None,
    revisions: Sequence[RevisionStatus],
    decisions: Sequence[ScalingDecision],
) -> dict[str, Any]:
    """Describe the service, its revisions and decisions as plain data."""
    return {
        "tenant": service.tenant,
        "service": service.service,
        "override": asdict(override) if override else None,
        "schedule": asdict(service.schedule) if service.schedule else None,
        "restriction": asdict(service.restriction) if service.restriction else None,
        "paused_until_unix_s": service.paused_until_unix_s,
        "revisions": [asdict(each) for each in revisions],
        "decisions": [asdict(each) for each in decisions],
    }


def _state(revision: RevisionStatus | None) -> str:
    if revision is None:
        return "none wanted, none ready"
    failed = f"; last failure: {revision.reason}" if revision.reason else ""
    if revision.asleep:
        return f"asleep, a request wakes it{failed}"
    return f"{render_count(revision.desired, 'instance')} wanted, {revision.ready} ready{failed}"
