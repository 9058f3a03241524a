"""Inventory: the containers that the engine shows with our labels, as ours and strangers, kept fresh by events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import is_not

from runyard.journal import Journal
from services.orchestrator.engine.port import Engine, SeenContainer
from services.orchestrator.instances.reading import read_instance, read_orphan
from services.orchestrator.model.entry import BookEntry
from services.orchestrator.model.instance import Instance
from services.orchestrator.store.book import INSTANCE_ID, Book
from services.orchestrator.store.documents import DocumentStore

# How long after a kill, or a call that got no answer, the engine may still make what it was asked for.
LATE_S = 10.0


@dataclass(frozen=True, slots=True)
class Records:
    """What says which container is whose: the book of what was made, and the documents that it was made from."""

    book: Book
    documents: DocumentStore


@dataclass(frozen=True, slots=True)
class _Read:
    """An instance as it was read last, with what it was read from."""

    source: tuple[object, ...]
    instance: Instance


class Inventory:
    """Instances of one stack; a container gets in by the book alone, whatever its labels say."""

    def __init__(self, engine: Engine, records: Records, journal: Journal, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._book, self._documents = records.book, records.documents
        self._journal = journal
        self._seen: dict[str, SeenContainer] = {}
        self._read: dict[str, _Read] = {}
        self._told: set[str] = set()
        self._clock = clock
        # When the engine was asked last for what may still come, by instance: a kill may have cut off its answer.
        self._asked_s = dict.fromkeys(self._book.unmade.values(), clock())
        # One refresh at a time, or an old listing that ends late would undo a newer inspection.
        self._turn = asyncio.Lock()

    async def refresh(self, *, thorough: bool = False) -> None:
        """List everything and look at what is new or changed its state, or all; on an error nothing is forgotten."""
        async with self._turn:
            # What is noted while the engine lists may be missing from the list.
            noted = [each for each in self._book.entries.values() if not self._book.making(each.instance)]
            states = await self._engine.states()
            known = {each: seen for each, seen in self._seen.items() if not thorough and states.get(each) == seen.state}
            self._seen = {**known, **await self._engine.observe(states.keys() - known.keys())}
            if self._book.lost:
                self._journal.write("book lost", level="warning", containers=len(self._seen))
                self._book.note_orphans(self._seen)
            self._book.keep_orphans(self._seen)
            await self._sort()
            self._strike(noted)

    async def refresh_some(self, ids: Iterable[str]) -> None:
        """Look at these containers again; those that are gone are dropped."""
        async with self._turn:
            await self._look_again(ids)

    async def take_in(self, instance: str, ids: Iterable[str]) -> None:
        """Look at what was made of an instance and end its making; a listing begun before that knows nothing of it."""
        async with self._turn:
            await self._look_again(ids, made=instance)

    async def _look_again(self, ids: Iterable[str], made: str = "") -> None:
        wanted = sorted(set(ids))
        owners = {owner for each in wanted if (owner := self._book.owner(each))}
        found = await self._engine.observe(wanted)
        for each in wanted:
            self._seen.pop(each, None)
        self._seen.update(found)
        self._book.end(made)
        await self._sort()
        self._strike([entry for each in {*owners, made} if (entry := self._book.entries.get(each))])

    def expect(self, instance: str) -> None:
        """Expect that the engine may still make what it was asked for and did not answer."""
        self._asked_s[instance] = self._clock()

    def _may_come(self, instance: str) -> bool:
        if instance not in self._asked_s:
            return False
        if self._clock() - self._asked_s[instance] < LATE_S and instance in self._book.unmade.values():
            return True
        del self._asked_s[instance]
        return False

    def _strike(self, entries: Iterable[BookEntry]) -> None:
        """Strike those out of the book of which nothing is left."""
        gone = [
            each.instance
            for each in entries
            if not self._book.making(each.instance)
            and not self._may_come(each.instance)
            and not any(id_ in self._seen for id_ in self._book.entries[each.instance].ids)
        ]
        self._book.strike(gone)
        for instance in gone:
            self._read.pop(instance, None)

    async def _sort(self) -> None:
        """Enter into the book what belongs there: what a kill left just made, and what a lost book had."""
        unowned = {each.name: each for key, each in self._seen.items() if self._book.owner(key) is None}
        for name, instance in self._book.unmade.items():
            if name in unowned:
                await self._finish(instance, name, unowned[name])
        if self._book.orphans:
            await self._take_over()
        self._tell()

    async def _finish(self, instance: str, name: str, seen: SeenContainer) -> None:
        """Note a container that a kill left made and not yet in the book, if it is exactly what was to be made."""
        entry = self._book.entries[instance]
        revision = self._documents.get(entry.tenant, entry.identity)
        if revision is not None and not await self._engine.difference(entry, revision, seen):
            self._book.complete(instance, name, seen.id)

    async def _take_over(self) -> None:
        """Enter the instances that a lost book had, as far as everything is as their documents say."""
        for group in self._orphan_groups().values():
            for revision in self._documents.named(group[0].tenant, group[0].revision):
                entry = read_orphan(group, revision)
                if entry is None or entry.instance in self._book.entries:
                    continue
                if any([await self._engine.difference(entry, revision, each) for each in group]):
                    continue
                self._book.write(entry)
                self._journal.write("instance taken over", instance=entry.instance, revision=revision.key)
                break

    def _orphan_groups(self) -> dict[str, list[SeenContainer]]:
        groups: dict[str, list[SeenContainer]] = {}
        for container, seen in sorted(self._seen.items()):
            if self._book.owner(container) is None and INSTANCE_ID.fullmatch(seen.instance):
                groups.setdefault(seen.instance, []).append(seen)
        # One more container with the same label, that came later, is not of the group and must not hide it.
        orphans = self._book.orphans
        kept = {key: [each for each in group if each.id in orphans] for key, group in groups.items()}
        return {key: group for key, group in kept.items() if group}

    def _tell(self) -> None:
        strangers = set(self.strangers())
        for name in sorted(strangers - self._told):
            self._journal.write("stranger", level="warning", container=name)
        self._told = strangers

    def knows(self, container: str) -> bool:
        """Tell whether a container was seen with our labels."""
        return container in self._seen

    def instances(self) -> tuple[Instance, ...]:
        """Give the instances of the book, ordered by id."""
        seen = [each for _, each in sorted(self._book.entries.items()) if any(id_ in self._seen for id_ in each.ids)]
        return tuple(map(self._instance, seen))

    def _instance(self, entry: BookEntry) -> Instance:
        seen = {each: self._seen[each] for each in entry.ids if each in self._seen}
        revision = self._documents.get(entry.tenant, entry.identity)
        # Read again only when something of it was seen anew: most passes look at most instances in vain.
        source = (entry, revision, *seen.values())
        read = self._read.get(entry.instance)
        if read is None or len(read.source) != len(source) or any(map(is_not, read.source, source)):
            instance = read_instance(entry, seen, revision, self._engine.departure)
            read = self._read[entry.instance] = _Read(source, instance)
        return read.instance

    def strangers(self) -> tuple[str, ...]:
        """Name the containers with our labels that are nobody's: not served, and left alone."""
        return tuple(sorted(each.name for each in self._unowned() if not self._waits(each)))

    def waiting(self) -> tuple[str, ...]:
        """Name those that a lost book may have had, and whose documents are not here (yet)."""
        return tuple(sorted(each.name for each in self._unowned() if self._waits(each)))

    def _unowned(self) -> list[SeenContainer]:
        # One that the engine has just made is on its way into the book.
        making = {
            each.name
            for entry in self._book.entries.values()
            if self._book.making(entry.instance)
            for each in entry.containers
        }
        unowned = [each for key, each in self._seen.items() if self._book.owner(key) is None]
        return [each for each in unowned if each.name not in making]

    def _waits(self, seen: SeenContainer) -> bool:
        return seen.id in self._book.orphans and not self._documents.named(seen.tenant, seen.revision)
