"""Book: what the orchestrator has made, a file an instance; a container that is not in it is not ours."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from runyard import files
from runyard.contracts import decode, encode
from runyard.errors import ContractError
from runyard.journal import Journal
from services.orchestrator.model.entry import BookEntry

# Instances of which nothing is left and that are still told of: whoever reads what they wrote looks twice a second.
DEPARTED = 64
# As the orchestrator numbers them: a name of a file, and the last part of a container's.
INSTANCE_ID = re.compile(r"[0-9a-f]{1,16}")


class Book:
    """Entries by instance, in memory and on disk.

    Where there is no book at all, as after the loss of its volume, `lost` holds until the engine's containers of that
    moment are noted: they alone can be taken over. What appears later and is not in the book never can.
    """

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory / "instances"
        self._orphans_file = directory / "orphans.json"
        self._journal = journal
        self._entries: dict[str, BookEntry] = {}
        self._spent: dict[str, BookEntry] = {}
        self._departed: deque[BookEntry] = deque(maxlen=DEPARTED)
        self._owners: dict[str, str] = {}
        self._making: set[str] = set()
        self._corrupt: list[str] = []
        self._orphans = self._load_orphans()
        # The orphans' file is written last, so a kill before it loses nothing; a directory that is gone is as lost.
        self.lost = not (self._orphans_file.exists() and self._directory.exists())
        self._directory.mkdir(parents=True, exist_ok=True)
        files.clear(self._directory)
        self._load()

    @property
    def entries(self) -> Mapping[str, BookEntry]:
        """The entries by instance; not to be changed."""
        return self._entries

    @property
    def corrupt(self) -> tuple[str, ...]:
        """The files that could not be read at the start."""
        return tuple(self._corrupt)

    @property
    def orphans(self) -> frozenset[str]:
        """The containers that were there when the book was not, and that nobody has claimed yet."""
        return self._orphans

    @property
    def unmade(self) -> Mapping[str, str]:
        """The instances whose making was cut short by a kill, by the engine's name of what they lack."""
        return {
            each.name: entry.instance
            for entry in self._entries.values()
            if entry.instance not in self._making
            for each in entry.containers
            if not each.id
        }

    def owner(self, container: str) -> str | None:
        """Name the instance that a container of the engine belongs to."""
        return self._owners.get(container)

    def making(self, instance: str) -> bool:
        """Tell whether an instance is being made just now, so that it may have no container yet."""
        return instance in self._making

    def begin(self, entry: BookEntry) -> None:
        """Note an instance before anything of it is made, so that a kill leaves nothing that nobody knows."""
        self._making.add(entry.instance)
        # What is not on the disk after a power cut was never made either.
        self._save(entry, durable=False)

    def end(self, instance: str) -> None:
        """Note that the making of an instance is over, however it went."""
        self._making.discard(instance)

    def write(self, entry: BookEntry) -> None:
        """Keep an entry, after its containers were made and before one of them is started."""
        self._save(entry, durable=True)
        self._set_orphans(self._orphans - set(entry.ids))

    def complete(self, instance: str, name: str, container: str) -> None:
        """Note the engine's id of a container that was made just before a kill."""
        entry = self._entries[instance]
        found = tuple(replace(each, id=container) if each.name == name else each for each in entry.containers)
        self.write(replace(entry, containers=found))

    def strike(self, instances: Iterable[str]) -> None:
        """Forget instances of which no container is left; one with volumes is spent until they are gone too."""
        for instance in instances:
            entry = self._entries.pop(instance, None)
            if entry is not None:
                self._departed.append(entry)
            if entry is not None and entry.volumes:
                self._spent[instance] = entry
            elif entry is not None:
                files.remove(self._path(instance))
        self._owners = {each: key for each, key in self._owners.items() if key in self._entries}

    @property
    def departed(self) -> Iterable[BookEntry]:
        """The last instances that were forgotten in this life."""
        return self._departed

    @property
    def spent(self) -> Mapping[str, BookEntry]:
        """The instances of which volumes may be left; not to be changed."""
        return self._spent

    def forget(self, instance: str) -> None:
        """Forget a spent instance: its volumes are gone."""
        if self._spent.pop(instance, None) is not None:
            files.remove(self._path(instance))

    def note_orphans(self, containers: Collection[str]) -> None:
        """Note which containers were there before a book that was lost began anew."""
        self._set_orphans(frozenset(containers))
        self.lost = False

    def keep_orphans(self, containers: Collection[str]) -> None:
        """Forget the orphans that are not among these containers."""
        self._set_orphans(self._orphans & frozenset(containers))

    def _set_orphans(self, orphans: frozenset[str]) -> None:
        if self.lost or orphans != self._orphans:
            files.write(self._orphans_file, json.dumps(sorted(orphans)))
        self._orphans = orphans

    def _save(self, entry: BookEntry, *, durable: bool) -> None:
        files.write(self._path(entry.instance), encode(entry), durable=durable)
        self._enter(entry)

    def _enter(self, entry: BookEntry) -> None:
        self._entries[entry.instance] = entry
        self._owners |= dict.fromkeys(entry.ids, entry.instance)

    def _path(self, instance: str) -> Path:
        return self._directory / f"{instance}.json"

    def _load_orphans(self) -> frozenset[str]:
        try:
            return frozenset(map(str, json.loads(self._orphans_file.read_text())))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError) as error:
            # They become strangers, which are left alone: the safe side.
            self._corrupt.append(self._orphans_file.name)
            self._journal.write("book corrupt", level="error", file=self._orphans_file.name, error=str(error))
            return frozenset()

    def _load(self) -> None:
        for path in sorted(self._directory.iterdir()):
            try:
                entry = decode(BookEntry, path.read_bytes())
                if path.stem != entry.instance or not INSTANCE_ID.fullmatch(entry.instance):
                    raise ContractError(f"holds {entry.instance}")
                self._enter(entry)
            except (ContractError, OSError, ValueError) as error:
                self._corrupt.append(f"instances/{path.name}")
                self._journal.write("book corrupt", level="error", file=f"instances/{path.name}", error=str(error))
