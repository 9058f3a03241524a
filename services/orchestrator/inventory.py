"""Inventory: what Docker holds with our labels, kept fresh by listings and by events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from runyard import names
from runyard.errors import ContractError, NotFound
from services.orchestrator.descriptions import (
    assemble_instances,
    assemble_revisions,
    labels_of,
    network_of,
    read_template,
)
from services.orchestrator.engine import Engine
from services.orchestrator.journal import Journal
from services.orchestrator.state import Instance, Json, Revision, Template

# At most this many inspections at once: the engine serialises much of it anyway.
INSPECTIONS = 8


class Inventory:
    """Templates and instances of one stack; a container without our stack label never gets in."""

    def __init__(self, engine: Engine, stack: str, journal: Journal) -> None:
        self._engine = engine
        self._stack = stack
        self._journal = journal
        self._seen: dict[str, Json] = {}
        self._unreadable: set[str] = set()
        # One refresh at a time, or an old listing that ends late would undo a newer inspection.
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """List and inspect everything; on an error nothing of what was known is forgotten."""
        async with self._turn:
            states = await self._engine.list({names.STACK: self._stack})
            # What Docker says of a container changes with its state; the rest need not be asked again.
            known = {
                each: seen
                for each, seen in self._seen.items()
                if states.get(each) == seen["State"]["Status"] and not _unfinished(seen)
            }
            self._seen = {**known, **await self._inspect(states.keys() - known.keys())}

    async def refresh_some(self, ids: Iterable[str]) -> None:
        """Inspect these containers again; those that are gone are dropped."""
        async with self._turn:
            wanted = sorted(set(ids))
            found = await self._inspect(wanted)
            for each in wanted:
                self._seen.pop(each, None)
            self._seen.update(found)

    async def _inspect(self, ids: Iterable[str]) -> dict[str, Json]:
        gate = asyncio.Semaphore(INSPECTIONS)

        async def one(container: str) -> Json | None:
            async with gate:
                try:
                    return await self._engine.inspect(container)
                except NotFound:
                    # It went between the listing (or the event) and now.
                    return None

        found = await asyncio.gather(*(one(each) for each in ids))
        ours = [each for each in found if each is not None and labels_of(each).get(names.STACK) == self._stack]
        return {each["Id"]: each for each in ours}

    def templates(self) -> list[Template]:
        """Read the templates; one whose label cannot be read is reported once and left out."""
        found = []
        for container, inspection in sorted(self._seen.items()):
            if labels_of(inspection).get(names.ROLE) != names.ROLE_TEMPLATE:
                continue
            try:
                found.append(read_template(inspection))
            except (ContractError, KeyError) as error:
                if container not in self._unreadable:
                    self._unreadable.add(container)
                    self._journal.write("template unreadable", container=inspection.get("Name", ""), error=str(error))
        return found

    def revisions(self) -> dict[str, Revision]:
        """Give the revisions all of whose templates are there, by `tenant/revision`."""
        return assemble_revisions(self.templates())

    def instances(self) -> tuple[Instance, ...]:
        """Give the instances, ordered by id."""
        clones = [each for each in self._seen.values() if labels_of(each).get(names.ROLE) == names.ROLE_INSTANCE]
        return assemble_instances(clones)


def _unfinished(inspection: Json) -> bool:
    """Tell whether this is a template that was seen before it got its network, of which no event tells."""
    labels = labels_of(inspection)
    return labels.get(names.ROLE) == names.ROLE_TEMPLATE and names.TENANT in labels and not network_of(inspection)
