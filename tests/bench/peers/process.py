"""Processes of a benchmark: each on the core that its side has, with its processor time, stopped by who started it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# The generator and the instances share one core, the system under test has the other for itself; on a machine with
# one core they are the same.
CORES = sorted(os.sched_getaffinity(0))
GENERATOR_CORE, SYSTEM_CORE = CORES[0], CORES[-1]
# A proxy that does not end by then hangs.
PATIENCE_S = 5


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Let what this thread starts in the block run on this core alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(command: Sequence[str | Path], core: int, log: Path) -> subprocess.Popen[bytes]:
    """Start a command on a core, with its output in the log."""
    with on_core(core), log.open("ab") as output:
        return subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, cwd=log.parent)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it when it does not; one that was stopped (SIGSTOP) ends too."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def processor_s(pid: int) -> float:
    """Processor time that a process and its children, also those that have ended, have used so far, in seconds."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    threads = [thread for each in (pid, *children) for thread in Path(f"/proc/{each}/task").iterdir()]
    # schedstat counts nanoseconds; the ticks in stat would be 1 % of a run of a second.
    alive = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return alive + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
