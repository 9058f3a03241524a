"""Fixtures of the gateway's tests: a running gateway, and instances that are killed in the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, make_gateway

MakeInstance = Callable[..., Instance]
MakeGateway = Callable[..., Gateway]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Each starts nginx, and many wait for what takes real time: more than a minute together.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def make_instance() -> Iterator[MakeInstance]:
    made: list[Instance] = []

    def make(name: str = "one", port: int = 0, host: str = "127.0.0.1") -> Instance:
        made.append(Instance(name, port, host).start())
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[MakeGateway]:
    made: list[Gateway] = []

    def start(**settings: Any) -> Gateway:
        directory = tmp_path / f"gateway-{len(made)}"
        directory.mkdir()
        made.append(make_gateway(directory, **settings))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        # Every test ends with this: whatever it did, Lua has not failed, and no worker has crashed, not even in ending.
        if each.process is not None:
            each.stop()
        assert f"exited on signal {int(signal.SIGSEGV)}" not in each.errors()
        assert "lua entry thread aborted" not in each.errors()
        assert "failed to run" not in each.errors()


@pytest.fixture
def gateway(start_gateway: MakeGateway) -> Gateway:
    return start_gateway()


@pytest.fixture
def instance(make_instance: MakeInstance) -> Instance:
    return make_instance()


@pytest.fixture
def in_background() -> Any:
    """Run something beside the test and give its future."""
    with ThreadPoolExecutor(32) as pool:

        def run(action: Callable[..., Any], *arguments: Any, **keywords: Any) -> Future[Any]:
            return pool.submit(action, *arguments, **keywords)

        yield run
