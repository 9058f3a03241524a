"""Crew: the workers of a run, begun together, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from runyard.codec import encode
from runyard.errors import GeneratorError
from runyard.workload.model import Job, Scenario
from runyard.workload.recording import Recording, Usage, read_recording
from runyard.workload.worker import READY

# From the word to the first request: for all workers to have read it.
_LEAD_S = 0.2
_ROOT = Path(__file__).resolve().parents[2]


class Run(NamedTuple):
    """What the workers recorded, and when their common start was, in seconds since 1970."""

    recordings: list[Recording]
    began_unix_s: float

    @property
    def usages(self) -> list[Usage]:
        """What each worker used."""
        return [each.usage for each in self.recordings]


def run_crew(scenario: Scenario) -> Run:
    """Have every worker send its part; GeneratorError if one of them fails. The workers end with this process."""
    workers = scenario.generator.workers
    jobs = [Job(scenario, number, workers) for number in range(workers)]
    # Each worker writes more than a pipe holds, so all are read at once; an interrupted run ends them before it waits
    # for whoever reads.
    with ThreadPoolExecutor(workers) as pool, ExitStack() as running:
        processes = [running.enter_context(_Worker(job)) for job in jobs]
        for each in processes:
            each.wait_until_ready()
        start, began_unix_s = time.monotonic() + _LEAD_S, time.time() + _LEAD_S
        for each in processes:
            each.begin(start)
        return Run(list(pool.map(_Worker.recording, processes)), began_unix_s)


class _Worker:
    """A process, and what it is told and tells."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __enter__(self) -> _Worker:
        command = (sys.executable, "-m", "runyard.workload.worker")
        # Fixed arguments: this interpreter and a module of ours.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT)  # noqa: S603
        self._say(encode(self._job))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def wait_until_ready(self) -> None:
        if _open(self._process.stdout).readline() != READY:
            raise self._failed("did not start")

    def begin(self, start: float) -> None:
        self._say(repr(start))

    def recording(self) -> Recording:
        try:
            return read_recording(_open(self._process.stdout))
        except ValueError as error:
            raise self._failed(str(error)) from error

    def _say(self, line: str) -> None:
        stream = _open(self._process.stdin)
        try:
            stream.write(line.encode() + b"\n")
            stream.flush()
        except BrokenPipeError:
            raise self._failed("went away") from None

    def _failed(self, what: str) -> GeneratorError:
        return GeneratorError(f"worker {self._job.worker + 1} of {self._job.workers}: {what}")


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    # Both are pipes, by the arguments above.
    assert stream is not None  # noqa: S101
    return stream
