"""Reading: instances, from what the book has of them and what the engine shows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.orchestrator.engine.port import Departure, SeenContainer
from services.orchestrator.model.entry import BookedContainer, BookEntry, container_name, entry_of
from services.orchestrator.model.instance import DEFAULT_GRACE_S, Container, Instance
from services.orchestrator.model.revision import Revision

# How a container of an entry departs from what its revision makes: the engine knows.
Departing = Callable[[BookEntry, Revision, str, SeenContainer], Departure]


def read_instance(
    entry: BookEntry, seen: Mapping[str, SeenContainer], revision: Revision | None, departing: Departing
) -> Instance:
    """Read an instance of the book; `seen` is by the engine's id, and containers that went are absent from it.

    Without a revision, because its document cannot be read, it is taken as it is.
    """
    booked = [each for each in entry.containers if each.id in seen]
    return Instance(
        id=entry.instance,
        tenant=entry.tenant,
        service=entry.service,
        revision=entry.revision,
        address=entry.address,
        network=entry.network,
        containers=tuple(_read_container(entry, each, seen[each.id], revision, departing) for each in booked),
        grace_s=revision.spec.termination_grace_s if revision else DEFAULT_GRACE_S,
        identity=entry.identity,
        data=entry.data,
    )


def _read_container(
    entry: BookEntry, booked: BookedContainer, seen: SeenContainer, revision: Revision | None, departing: Departing
) -> Container:
    part, departure = revision.part(booked.container) if revision else None, Departure()
    if revision is not None and part is not None:
        departure = departing(entry, revision, booked.container, seen)
    return Container(
        id=booked.id,
        name=booked.container,
        state=seen.state,
        exit_code=seen.exit_code,
        oom_killed=seen.oom_killed,
        fault=departure.fault,
        edited=departure.edited,
        boosted=departure.boosted,
        role=part.role if part else "app",
        started_ms=seen.started_ms,
    )


def read_orphan(group: list[SeenContainer], revision: Revision) -> BookEntry | None:
    """Read the entry that a lost book would have had for these containers of one instance; None if they fit none."""
    by_name = {each.container: each for each in group}
    # Those that have ended as they should may have been pruned.
    wanted = [each.document.name for each in revision.parts if each.role != "init" or each.document.name in by_name]
    if len(by_name) != len(group) or sorted(by_name) != sorted(wanted):
        return None
    address = by_name[revision.owner].addresses.get(revision.spec.network, "")
    if not address:
        return None
    instance = group[0].instance
    booked = [BookedContainer(name, container_name(revision, name, instance), by_name[name].id) for name in wanted]
    return entry_of(revision, instance, address, tuple(booked))
