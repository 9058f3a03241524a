"""The sample application's binary, built once from its Go source, and a way to start it on a free port."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.programs import build_go
from tests.unit.services.hello.program import Hello, Start

SOURCE = Path(__file__).parents[4] / "services" / "hello"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Go is brought by `make test`, and is not for `make check` to ask for.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go(SOURCE, tmp_path_factory.mktemp("hello") / "hello")


@pytest.fixture
def start(binary: Path) -> Iterator[Start]:
    """Start instances with the given variables; they are killed when the test ends."""
    running: list[Hello] = []

    def launch(**environment: str) -> Hello:
        port = free_port()
        settings = {"PORT": str(port), "K_SERVICE": "hello", "K_REVISION": "hello-0a1b2c3d"} | environment
        process = subprocess.Popen([binary], env=settings, stdout=subprocess.PIPE, text=True)
        running.append(Hello(process, port))
        return running[-1]

    yield launch
    for hello in running:
        hello.process.kill()
        hello.process.wait()
        assert hello.process.stdout is not None
        hello.process.stdout.close()


@pytest.fixture
def hello(start: Start) -> Hello:
    """One hello that has started to listen."""
    started = start()
    assert started.log()["event"] == "started"
    return started
