"""The sample workload's binary, built once from its Go source, and a way to start it on a free port."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.unit.services.workload.program import Start, Workload

SOURCE = Path(__file__).parents[4] / "services" / "workload"
# Where Go's own installer puts it, for shells whose PATH does not say so.
GO_INSTALLED = Path("/usr/local/go/bin/go")


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go") or (str(GO_INSTALLED) if GO_INSTALLED.exists() else None)
    if go is None:
        pytest.skip("needs Go, which `make up` brings")
    target = tmp_path_factory.mktemp("workload") / "workload"
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    subprocess.run([go, "build", "-o", str(target), "."], cwd=SOURCE, env=environment, check=True)
    return target


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
