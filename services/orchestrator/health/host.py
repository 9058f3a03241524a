"""Host: whether it has room for more instances, by what its kernel tells."""

from __future__ import annotations

import os
from pathlib import Path

# Below these parts of the whole nothing is added: the kernel kills for memory before none is left, a database that
# cannot write breaks more than one that is slow, and without a process nobody can even look.
MEMORY_PART = 0.05
DISK_PART = 0.05
PROCESSES_PART = 0.1


class HostRoom:
    """Memory and processes as `proc` has them, which are the host's, and the disk on which `directory` is."""

    def __init__(self, proc: Path, directory: Path) -> None:
        self._proc = proc
        self._directory = directory

    def shortage(self) -> str:
        """Say what the host is short of, with numbers; empty when it is short of nothing, or cannot be read."""
        for look in (self._memory, self._disk, self._processes):
            try:
                if found := look():
                    return found
            except (OSError, ValueError, KeyError, IndexError):
                # What cannot be read says nothing; the quotas bound it all the same.
                continue
        return ""

    def _memory(self) -> str:
        lines = (line.partition(":") for line in (self._proc / "meminfo").read_text().splitlines())
        kib = {name: int(value.split()[0]) for name, _, value in lines if name in ("MemTotal", "MemAvailable")}
        if kib["MemAvailable"] >= MEMORY_PART * kib["MemTotal"]:
            return ""
        return f"memory: {kib['MemAvailable'] // 1024} of {kib['MemTotal'] // 1024} MiB are available"

    def _disk(self) -> str:
        found = os.statvfs(self._directory)
        if not found.f_blocks or found.f_bavail >= DISK_PART * found.f_blocks:
            return ""
        left, whole = (blocks * found.f_frsize >> 20 for blocks in (found.f_bavail, found.f_blocks))
        return f"disk: {left} of {whole} MiB are free"

    def _processes(self) -> str:
        # The fourth field has those that could run and all, threads included.
        running = int((self._proc / "loadavg").read_text().split()[3].partition("/")[2])
        most = min(int((self._proc / "sys" / "kernel" / name).read_text()) for name in ("pid_max", "threads-max"))
        return "" if most - running >= PROCESSES_PART * most else f"processes: {running} of {most} are taken"
