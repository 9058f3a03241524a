"""Control groups: what a container uses of its host, from the kernel's own files, versions 1 and 2.

What the files mean is in the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Where engines put a container's group: the driver cgroupfs, then systemd's.
_PLACES = ("docker/{id}", "system.slice/docker-{id}.scope")
# Far more than any of the files has: memory.stat, the largest, has some 1,500 bytes.
_LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time that a container has used since it was started, in ms, and the memory that it holds, in bytes.

    Memory is what is charged but for file pages that are not in use, as `docker stats` and Kubernetes count it.
    """

    cpu_ms: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Counters:
    """All that the kernel counts of a container since it was started, and what it holds now.

    Of `periods` of the CPU limit, `throttled_periods` ended before the container was through, and cost it
    `throttled_us`. `memory_bytes` is as in `Usage`, `memory_peak_bytes` the most that was charged at once, file pages
    included, and 0 where the kernel does not tell (version 2 before Linux 5.19). `read_bytes` and `written_bytes` went
    to and from block devices. What a kernel does not count is 0.
    """

    cpu_us: int
    memory_bytes: int
    memory_peak_bytes: int = 0
    throttled_us: int = 0
    periods: int = 0
    throttled_periods: int = 0
    oom_kills: int = 0
    processes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class _Two:
    """The files of one container, version 2: all in one directory."""

    place: str

    def usage(self) -> Usage:
        statistics = _values(f"{self.place}/cpu.stat")
        return Usage(statistics["usage_usec"] // 1000, self._held())

    def counters(self) -> Counters:
        cpu, place = _values(f"{self.place}/cpu.stat"), self.place
        read, written = _transfers(_optional(f"{place}/io.stat"))
        return Counters(
            cpu_us=cpu["usage_usec"],
            memory_bytes=self._held(),
            memory_peak_bytes=int(_optional(f"{place}/memory.peak") or 0),
            throttled_us=cpu.get("throttled_usec", 0),
            periods=cpu.get("nr_periods", 0),
            throttled_periods=cpu.get("nr_throttled", 0),
            oom_kills=_values_of(_optional(f"{place}/memory.events")).get("oom_kill", 0),
            processes=int(_optional(f"{place}/pids.current") or 0),
            read_bytes=read,
            written_bytes=written,
            frozen=_values_of(_optional(f"{place}/cgroup.events")).get("frozen", 0) == 1,
        )

    def _held(self) -> int:
        held, statistics = int(_read(f"{self.place}/memory.current")), _values(f"{self.place}/memory.stat")
        return max(0, held - statistics["inactive_file"])


@dataclass(frozen=True, slots=True)
class _One:
    """The files of one container, version 1: a directory for each controller below `root`."""

    root: str
    place: str

    def usage(self) -> Usage:
        return Usage(int(self._read("cpuacct", "cpuacct.usage")) // 1_000_000, self._held())

    def counters(self) -> Counters:
        cpu = _values_of(self._optional("cpu", "cpu.stat"))
        read, written = _services(self._optional("blkio", "blkio.throttle.io_service_bytes_recursive"))
        return Counters(
            cpu_us=int(self._read("cpuacct", "cpuacct.usage")) // 1000,
            memory_bytes=self._held(),
            memory_peak_bytes=int(self._optional("memory", "memory.max_usage_in_bytes") or 0),
            throttled_us=cpu.get("throttled_time", 0) // 1000,
            periods=cpu.get("nr_periods", 0),
            throttled_periods=cpu.get("nr_throttled", 0),
            oom_kills=_values_of(self._optional("memory", "memory.oom_control")).get("oom_kill", 0),
            processes=int(self._optional("pids", "pids.current") or 0),
            read_bytes=read,
            written_bytes=written,
            frozen=self._optional("freezer", "freezer.state").strip() == "FROZEN",
        )

    def _held(self) -> int:
        statistics = _values_of(self._read("memory", "memory.stat"))
        return max(0, int(self._read("memory", "memory.usage_in_bytes")) - statistics["total_inactive_file"])

    def _read(self, controller: str, name: str) -> str:
        return _read(f"{self.root}/{controller}/{self.place}/{name}")

    def _optional(self, controller: str, name: str) -> str:
        return _optional(f"{self.root}/{controller}/{self.place}/{name}")


class Cgroups:
    """The host's control groups below `root`; where a container's files are is remembered until it is gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, _One | _Two] = {}

    def read(self, container: str) -> Usage | None:
        """Read what a container uses, by the engine's id; None where nothing of it can be read."""
        try:
            return self._of(container).usage()
        except (OSError, ValueError, KeyError, StopIteration):
            self._files.pop(container, None)
            return None

    def count(self, container: str) -> Counters | None:
        """Read all that is counted of a container, by the engine's id; None where nothing of it can be read."""
        try:
            return self._of(container).counters()
        except (OSError, ValueError, KeyError, StopIteration):
            self._files.pop(container, None)
            return None

    def keep(self, containers: set[str]) -> None:
        """Forget where the files of all others are."""
        for gone in self._files.keys() - containers:
            del self._files[gone]

    def _of(self, container: str) -> _One | _Two:
        files = self._files.get(container)
        if files is None:
            files = self._files[container] = next(self._found(container))
        return files

    def _found(self, container: str) -> Iterator[_One | _Two]:
        for each in _PLACES:
            place = each.format(id=container)
            if (self._root / place / "cpu.stat").exists():
                yield _Two(f"{self._root}/{place}")
            if (self._root / "cpuacct" / place / "cpuacct.usage").exists():
                yield _One(str(self._root), place)


def _read(path: str) -> str:
    # The kernel makes the text as it is read: one call has it all, and a file object would only cost more.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _LARGEST).decode("ascii")
    finally:
        os.close(file)


def _optional(path: str) -> str:
    try:
        return _read(path)
    except OSError:
        return ""


def _values(path: str) -> dict[str, int]:
    return _values_of(_read(path))


def _values_of(text: str) -> dict[str, int]:
    """Read lines of a key and a number; others are left out."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _transfers(text: str) -> tuple[int, int]:
    """Add up what was read and written over all devices: `8:0 rbytes=1 wbytes=2 rios=...`."""
    words = [word.partition("=") for line in text.splitlines() for word in line.split()[1:]]
    read, written = (sum(int(value) for name, _, value in words if name == key) for key in ("rbytes", "wbytes"))
    return read, written


def _services(text: str) -> tuple[int, int]:
    """Add up the same of version 1: `8:0 Read 1`, and further kinds that are not told apart here."""
    lines = [line.split() for line in text.splitlines()]
    read, written = (sum(int(each[2]) for each in lines if each[1:2] == [kind]) for kind in ("Read", "Write"))
    return read, written
