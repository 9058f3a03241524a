"""Crew: real worker processes begin together, have each request once, and fail as one."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from runyard.errors import GeneratorError
from runyard.workload.analysis import merged
from runyard.workload.crew import run_crew
from runyard.workload.model import Target
from tests.unit.runyard.workload.made import PATIENT, scenario
from tests.unit.runyard.workload.server import serving


def test_workers_together_send_each_request_once() -> None:
    before = time.time()
    with serving() as served:
        run = run_crew(scenario(served.url, rate=100, seconds=1.0, generator=replace(PATIENT, workers=2)))
    rows = merged(run.recordings)
    assert [len(each) for each in run.recordings] == [50, 50]
    assert len(rows) == len(served.requests) == 100
    assert [row.due for row in rows] == pytest.approx([(number + 0.5) / 100 for number in range(100)])
    assert {int(row.request_id, 16) for row in rows} == set(range(100))
    # One clock for all: each was begun after it was due, by its own process's clock.
    assert all(row.begun >= row.due for row in rows)
    assert before <= run.began_unix_s <= time.time()
    assert all(each.usage.cpu_s > 0 and each.usage.elapsed_s >= 0.9 for each in run.recordings)


def test_worker_that_fails_is_an_error_and_names_itself(capfd: pytest.CaptureFixture[str]) -> None:
    # What no scenario that was read has: the worker ends with a traceback of its own.
    with serving() as served:
        broken = scenario(rate=1, targets=(Target("t", url=served.url, headers=(("a\nb", "c"),)),))
        with pytest.raises(GeneratorError, match="worker 1 of 1: the recording is missing"):
            run_crew(broken)
    assert "Traceback" in capfd.readouterr().err
