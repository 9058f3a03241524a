"""Sources: the logs of the engine's containers, held from when they appear and read once the registry says whose."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from runyard.contracts import ContainerOwner
from services.logs.source import Place, Source

_ID = re.compile(r"[0-9a-f]{64}")
# The registry is told of a container before it is started, and looks twice a second.
UNKNOWN_S = 20.0


class Sources:
    """The logs by the engine's ids.

    `there` are those that the engine had at the last look. One that nobody knows yet is held and not read, so that a
    container that ends at once leaves its lines; one that nobody has claimed in time is somebody else's, and let go.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[str, tuple[Source, float]] = {}
        self._foreign: set[str] = set()
        self.there: frozenset[str] = frozenset()

    def containers(self) -> frozenset[str]:
        """List the containers that the engine has; none if the directory is not the engine's."""
        try:
            return frozenset(each.name for each in os.scandir(self._directory) if _ID.fullmatch(each.name))
        except FileNotFoundError:
            return frozenset()

    def look(self, now_s: float, *, known: bool) -> None:
        """Hold what is new; OSError if the engine's files cannot be read.

        `now_s` is of a clock that only goes forward, `known` says that the registry tells what there is.
        """
        self.there = there = self.containers()
        self._foreign &= there
        for container in there - self._foreign - self._held.keys():
            self._held[container] = (Source(self._directory / container, container), now_s)
        for container, (source, since_s) in list(self._held.items()):
            if not source.open() and container not in there:
                del self._held[container]
            elif known and now_s - since_s > UNKNOWN_S:
                self._let_go(container)
                self._foreign.add(container)

    def claim(
        self, owners: Mapping[str, ContainerOwner], taken: Mapping[str, object], places: Mapping[str, Place]
    ) -> dict[str, Source]:
        """Give the logs of owned containers that are not taken, each from its place if it has one."""
        found: dict[str, Source] = {}
        for container in owners.keys() - taken.keys():
            if container in places and (self._directory / container).is_dir():
                if container in self._held:
                    self._let_go(container)
                found[container] = Source(self._directory / container, container, places[container])
            elif container in self._held:
                found[container] = self._held.pop(container)[0]
            elif container in self._foreign:
                self._foreign.discard(container)
                found[container] = Source(self._directory / container, container)
        # Whoever has a log holds it at once: the next moment it may be gone.
        return {container: source for container, source in found.items() if source.open()}

    def _let_go(self, container: str) -> None:
        self._held.pop(container)[0].close()
