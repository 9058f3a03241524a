"""Worker: a process that is told its job on stdin, waits for the common start, and writes its recording to stdout."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import IO

from runyard.codec import decode
from runyard.workload.generator import generate
from runyard.workload.model import Job

READY = b"ready\n"


def run_worker(told: IO[bytes], tells: IO[bytes], begin: Callable[[], object] = lambda: None) -> None:
    """Do one job. A second line tells the start, on the clock that all processes of a machine share.

    A worker whose parent goes away meanwhile reads no start, and ends. `begin` is called once stdin tells no more.
    """
    job = decode(Job, told.readline())
    tells.write(READY)
    tells.flush()
    line = told.readline()
    if not line:
        return
    begin()
    # What is there lives as long as the run: a collection that looks at all of it would make requests late.
    gc.collect()
    gc.freeze()
    asyncio.run(generate(job, float(line))).dump(tells)
    tells.flush()


def _end_with_parent() -> None:
    """End at once when the other end of stdin is gone: load that nobody waits for must not go on."""
    # Not through Python's buffer, whose lock would be held when the process ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _main() -> None:
    # Ctrl-C is for the parent, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun = threading.Thread(target=_end_with_parent, daemon=True)
    run_worker(sys.stdin.buffer, sys.stdout.buffer, begun.start)


if __name__ == "__main__":
    _main()
