"""Consumption: CPU and memory of each revision, summed over its instances; counters that never fall."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Protocol

from runyard.cgroups import Usage

# A revision's CPU counts over windows of seconds; reading it more often would only cost some of it.
READ_S = 1.0


class Meter(Protocol):
    """Something that reads what a container uses."""

    def read(self, container: str) -> Usage | None:
        """Read a container by the engine's id; None where it cannot be read."""
        ...

    def keep(self, containers: set[str]) -> None:
        """Forget all others."""
        ...


class Consumption:
    """What the containers of each revision have used together, by `tenant/revision`."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._containers: Mapping[str, Collection[str]] = {}
        self._before: dict[str, int] = {}
        self._sums: dict[str, int] = {}
        self._read: dict[str, tuple[float, Usage | None]] = {}

    def follow(self, containers: Mapping[str, Collection[str]]) -> None:
        """Count these containers for each revision; one without any begins anew, which is no fall of what it uses."""
        if containers == self._containers:
            return
        self._containers = containers
        known = {each for found in containers.values() for each in found}
        self._before = {each: used for each, used in self._before.items() if each in known}
        for each in (self._sums, self._read):
            for gone in each.keys() - containers.keys():
                del each[gone]
        self._meter.keep(known)

    def of(self, revision: str, now_s: float) -> Usage | None:
        """Give what a revision's instances have used since the first look, and hold now; None if one cannot be read."""
        at_s, told = self._read.get(revision, (-math.inf, None))
        if now_s - at_s < READ_S:
            return told
        told = self._sum(revision)
        self._read[revision] = (now_s, told)
        return told

    def _sum(self, revision: str) -> Usage | None:
        used, held = self._sums.get(revision, 0), 0
        for container in self._containers.get(revision, ()):
            found = self._meter.read(container)
            if found is None:
                return None
            # What was used before the first look is of no second that is looked at.
            used += max(0, found.cpu_ms - self._before.get(container, found.cpu_ms))
            self._before[container] = found.cpu_ms
            held += found.memory_bytes
        self._sums[revision] = used
        return Usage(used, held)
