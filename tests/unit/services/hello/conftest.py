"""The sample workload's binary, built once from its Go source, and a way to start it on a free port."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.programs import build_go
from tests.unit.services.workload.program import Start, Workload

SOURCE = Path(__file__).parents[4] / "services" / "workload"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Go is brought by `make test`, and is not for `make check` to ask for.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go(SOURCE, tmp_path_factory.mktemp("workload") / "workload")


@pytest.fixture
def start(binary: Path) -> Iterator[Start]:
    """Start workloads with the given variables; they are killed when the test ends."""
    running: list[Workload] = []

    def launch(**environment: str) -> Workload:
        port = free_port()
        settings = {"PORT": str(port), "K_SERVICE": "hello", "K_REVISION": "hello-0a1b2c3d"} | environment
        process = subprocess.Popen([binary], env=settings, stdout=subprocess.PIPE, text=True)
        running.append(Workload(process, port))
        return running[-1]

    yield launch
    for workload in running:
        workload.process.kill()
        workload.process.wait()
        assert workload.process.stdout is not None
        workload.process.stdout.close()


@pytest.fixture
def workload(start: Start) -> Workload:
    """One workload that has started to listen."""
    started = start()
    assert started.log()["event"] == "started"
    return started
