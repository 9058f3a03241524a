"""What the apply benchmark gives its contenders, and how it notices a service that does not answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import bench_apply
from tests.bench.timing import Stopwatch


def test_both_contenders_get_the_same_services_and_limits() -> None:
    services = bench_apply.compose_file(3)["services"]
    assert isinstance(services, dict)
    assert list(services) == ["gateway", "bench-001", "bench-002", "bench-003"]
    manifest = str(bench_apply.service_manifest("bench-001"))
    assert services["bench-001"]["image"] in manifest
    assert bench_apply.MEMORY in manifest
    assert services["bench-001"]["mem_limit"] == 128 * 1024 * 1024


def test_expect_answers_names_every_service_that_failed() -> None:
    bench_apply.expect_answers({"a": 200})
    with pytest.raises(RuntimeError) as failure:
        bench_apply.expect_answers({"a": 200, "b": 503, "c": 0})
    assert str(failure.value) == "must answer 200: {'b': 503, 'c': 0}"


def test_run_keeps_the_output_and_shows_its_end_on_failure(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert bench_apply.run([sys.executable, "-c", "print('fine')"], log) == "fine\n"
    with pytest.raises(RuntimeError, match="ended with 3\nbroken"):
        bench_apply.run([sys.executable, "-c", "print('broken'); raise SystemExit(3)"], log)
    assert "fine" in log.read_text()
    assert "broken" in log.read_text()


def test_ask_answers_zero_where_nobody_listens() -> None:
    assert bench_apply.ask("127.0.0.1", 1, "hello.localhost") == 0


class FailingContender:
    name = "ours"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def up(self) -> None:
        self.calls.append("up")

    def restart_gateway(self) -> None:
        self.calls.append("restart")

    def check(self) -> None:
        raise RuntimeError("must answer 200: {'a': 503}")

    def down(self) -> None:
        self.calls.append("down")

    def close(self) -> None:
        self.calls.append("close")


def test_measure_takes_everything_down_when_a_check_fails() -> None:
    contender = FailingContender()
    with pytest.raises(RuntimeError, match="must answer 200"):
        bench_apply.measure(Stopwatch(), contender, 1)
    assert contender.calls == ["up", "down", "close"]
