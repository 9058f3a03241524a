"""Control groups: what a container uses of the host's CPU and memory, from the kernel's own files, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Where engines put a container's group: the driver cgroupfs, then systemd's.
_PLACES = ("docker/{id}", "system.slice/docker-{id}.scope")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time that a container has used since it was started, in ms, and the memory that it holds, in bytes.

    Memory is what is charged but for file pages that are not in use, as `docker stats` and Kubernetes count it.
    """

    cpu_ms: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of one container, what its CPU counter must be divided by, and the key of idle file pages."""

    cpu: Path
    per_ms: int
    memory: Path
    statistics: Path
    inactive: str


class Cgroups:
    """The host's control groups below `root`; where a container's files are is remembered until it is gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, _Files] = {}

    def read(self, container: str) -> Usage | None:
        """Read what a container uses, by the engine's id; None where nothing of it can be read."""
        files = self._files.get(container)
        try:
            if files is None:
                files = self._files[container] = next(self._found(container))
            return _read(files)
        except (OSError, ValueError, StopIteration):
            self._files.pop(container, None)
            return None

    def keep(self, containers: set[str]) -> None:
        """Forget where the files of all others are."""
        for gone in self._files.keys() - containers:
            del self._files[gone]

    def _found(self, container: str) -> Iterator[_Files]:
        for each in _PLACES:
            place = each.format(id=container)
            two = self._root / place
            if (two / "cpu.stat").exists():
                yield _Files(two / "cpu.stat", 1000, two / "memory.current", two / "memory.stat", "inactive_file")
            cpu, memory = self._root / "cpuacct" / place, self._root / "memory" / place
            if (cpu / "cpuacct.usage").exists():
                used, statistics = memory / "memory.usage_in_bytes", memory / "memory.stat"
                yield _Files(cpu / "cpuacct.usage", 1_000_000, used, statistics, "total_inactive_file")


def _read(files: _Files) -> Usage:
    text = files.cpu.read_text()
    # Version 1 has the number alone, in ns; version 2 has lines of keys and values, the first of them in µs.
    used = int(text) if text.strip().isdecimal() else _value(text, "usage_usec")
    held = int(files.memory.read_text()) - _value(files.statistics.read_text(), files.inactive)
    return Usage(used // files.per_ms, max(0, held))


def _value(text: str, key: str) -> int:
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    raise ValueError(f"no {key}")
