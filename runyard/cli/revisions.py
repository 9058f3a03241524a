"""Command `revisions`: what is kept of a service, from new to old, and what each revision has of the traffic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import click

from runyard import table
from runyard.cli.live import Target, find_service, of_service, orchestrator_of
from runyard.cli.output import Output, reporting
from runyard.contracts import RevisionStatus, ServiceStatus

_HEAD = ("revision", "traffic", "tags", "instances", "note")


@dataclass(frozen=True, slots=True)
class KeptRevision:
    """A revision that `rollback` can go to: its share in percent now, its tags, and its instances, ready and wanted."""

    revision: str
    percent: int
    tags: tuple[str, ...]
    ready: int
    desired: int
    asleep: bool
    reason: str


@click.command()
@of_service
@reporting()
def revisions(target: Target, out: Output) -> None:
    """List the revisions of SERVICE that are kept, from new to old: their traffic, tags and instances.

    `runyard rollback SERVICE REVISION` moves the traffic to any of them.
    """
    with orchestrator_of(target.stack) as orchestrator:
        service = find_service("revisions", orchestrator.services(), target)
        found = join(service, orchestrator.revisions(target.tenant, target.service).revisions)
    out.show(
        lambda: [asdict(each) for each in found],
        lambda: "\n".join(table.render_columns([_HEAD, *map(_row, found)])),
        markdown=lambda: "\n".join(table.render_markdown(_HEAD, [*map(_row, found)])),
    )


def join(service: ServiceStatus, running: Iterable[RevisionStatus]) -> list[KeptRevision]:
    """Give the revisions of a service's history, and after them those that only have instances left."""
    by_name = {each.revision: each for each in running}
    found = []
    for name in (*service.history, *sorted(by_name.keys() - set(service.history))):
        shares = [share for share in service.traffic if share.revision == name]
        seen = by_name.get(name, RevisionStatus(service.tenant, service.service, name, 0, 0))
        percent, tags = sum(share.percent for share in shares), tuple(share.tag for share in shares if share.tag)
        found.append(KeptRevision(name, percent, tags, seen.ready, seen.desired, seen.asleep, seen.reason))
    return found


def _row(each: KeptRevision) -> tuple[str, ...]:
    share = f"{each.percent} %" if each.percent else "-"
    count = "asleep" if each.asleep else f"{each.ready} of {each.desired}" if each.desired or each.ready else "-"
    return each.revision, share, ", ".join(each.tags) or "-", count, each.reason
