"""Run book: the one-off instances that were made, a file each, until nothing is left of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard import files, names
from runyard.codec import VERSION
from runyard.contracts import decode, encode
from runyard.errors import ContractError
from runyard.journal import Journal
from services.orchestrator.model.entry import BookEntry
from services.orchestrator.store.book import DEPARTED, INSTANCE_ID


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run: what was made for it, the digest of what was asked for, and when its command was started.

    `started_unix_s` is 0 before it was. `cpu_millis` and `memory_bytes` are what it may take.
    """

    made: BookEntry
    request: str
    container: str
    timeout_s: int
    grace_s: int
    cpu_millis: int
    memory_bytes: int
    started_unix_s: float = 0.0
    version: int = VERSION


class RunBook:
    """Entries by run, in memory and on disk."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        self._directory = directory / "runs"
        self._entries: dict[str, RunEntry] = {}
        self._departed: deque[BookEntry] = deque(maxlen=DEPARTED)
        self._directory.mkdir(parents=True, exist_ok=True)
        files.clear(self._directory)
        self._load(journal)

    @property
    def entries(self) -> Mapping[str, RunEntry]:
        """The entries by run; not to be changed."""
        return self._entries

    @property
    def departed(self) -> Iterable[BookEntry]:
        """What was made for the last runs that were forgotten in this life."""
        return self._departed

    @property
    def places(self) -> Mapping[str, tuple[str, str]]:
        """The network and address of each run."""
        return {run: (each.made.network, each.made.address) for run, each in self._entries.items()}

    @property
    def callers(self) -> Mapping[str, str]:
        """The service of each address: a run may call what its revision's instances may."""
        return {
            each.made.address: names.service_key(each.made.tenant, each.made.service) for each in self._entries.values()
        }

    @property
    def revisions(self) -> frozenset[str]:
        """The revisions that there are runs of, as `tenant/revision`."""
        return frozenset(names.service_key(each.made.tenant, each.made.revision) for each in self._entries.values())

    @property
    def documents(self) -> frozenset[tuple[str, str]]:
        """The tenants and identities of the documents that runs were made from."""
        return frozenset((each.made.tenant, each.made.identity) for each in self._entries.values())

    def write(self, entry: RunEntry) -> None:
        """Keep an entry, before anything of it is made and after each step."""
        files.write(self._path(entry.made.instance), encode(entry))
        self._entries[entry.made.instance] = entry

    def strike(self, run: str) -> None:
        """Forget a run of which nothing is left."""
        if (entry := self._entries.pop(run, None)) is not None:
            self._departed.append(entry.made)
            files.remove(self._path(run))

    def _path(self, run: str) -> Path:
        return self._directory / f"{run}.json"

    def _load(self, journal: Journal) -> None:
        for path in sorted(self._directory.iterdir()):
            try:
                entry = decode(RunEntry, path.read_bytes())
                if path.stem != entry.made.instance or not INSTANCE_ID.fullmatch(entry.made.instance):
                    raise ContractError(f"holds {entry.made.instance}")
                self._entries[entry.made.instance] = entry
            except (ContractError, OSError, ValueError) as error:
                journal.write("run book corrupt", level="error", file=f"runs/{path.name}", error=str(error))
