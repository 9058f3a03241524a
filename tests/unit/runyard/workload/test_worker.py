"""Worker: its side of the talk with its parent, and what becomes of it when that goes away."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import pytest

from runyard.codec import encode
from runyard.errors import ContractError
from runyard.workload.model import Job
from runyard.workload.recording import read_recording
from runyard.workload.worker import READY, run_worker
from tests.harness.waiting import PATIENCE_S
from tests.unit.runyard.workload.made import scenario
from tests.unit.runyard.workload.server import serving


def test_worker_is_ready_waits_for_the_start_and_tells_what_it_recorded() -> None:
    begun: list[bool] = []
    with serving() as served:
        job = encode(Job(scenario(served.url, rate=40, seconds=0.5), 1, 2)).encode()
        told, tells = io.BytesIO(job + b"\n" + repr(time.monotonic()).encode() + b"\n"), io.BytesIO()
        run_worker(told, tells, lambda: begun.append(True))
    tells.seek(0)
    assert tells.readline() == READY
    assert len(read_recording(tells).rows()) == len(served.requests) == 10
    assert begun == [True]


def test_worker_whose_parent_goes_away_before_the_start_sends_nothing() -> None:
    with serving() as served:
        tells = io.BytesIO()
        run_worker(io.BytesIO(encode(Job(scenario(served.url))).encode() + b"\n"), tells)
        assert (tells.getvalue(), served.requests) == (READY, [])


def test_worker_that_is_told_something_else_refuses() -> None:
    with pytest.raises(ContractError, match="decode Job: field 'scenario' is missing"):
        run_worker(io.BytesIO(b"{}\n"), io.BytesIO())


def test_worker_ends_when_its_parent_goes_away_in_the_middle_of_the_load() -> None:
    with serving() as served:
        job = encode(Job(scenario(served.url, rate=1, seconds=3600)))
        command = [sys.executable, "-m", "runyard.workload.worker"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{job}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline() == READY
            process.stdin.write(f"{time.monotonic()!r}\n".encode())
            process.stdin.close()
            assert process.wait(PATIENCE_S) == 1
