"""Connections to orchestrators: used again, lent to one operation at a time, and few."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from provider.connection import Connections, Observation
from runyard.contracts import Holdings
from runyard.errors import HostError, LockError
from tests.unit.provider.orchestrator import FakeOrchestrator


class Opened(FakeOrchestrator):
    def __init__(self, stack: str) -> None:
        super().__init__()
        self.stack = stack
        self.closed = False


class Connector:
    """Opens orchestrators and keeps them all."""

    def __init__(self) -> None:
        self.opened: list[Opened] = []

    @contextmanager
    def __call__(self, stack: str) -> Iterator[Opened]:
        made = Opened(stack)
        self.opened.append(made)
        yield made
        made.closed = True


@pytest.fixture
def connector() -> Connector:
    return Connector()


def test_connection_is_used_again_by_the_next_operation(connector: Connector) -> None:
    connections = Connections(connector)
    with connections.lend("dev") as first:
        pass
    with connections.lend("dev") as second:
        assert second is first
    assert not connector.opened[0].closed


def test_operations_at_the_same_time_have_connections_of_their_own(connector: Connector) -> None:
    connections = Connections(connector)
    with connections.lend("dev") as first, connections.lend("dev") as second:
        assert first is not second


def test_stacks_have_connections_of_their_own(connector: Connector) -> None:
    connections = Connections(connector)
    with connections.lend("dev"):
        pass
    with connections.lend("test"):
        pass
    assert [each.stack for each in connector.opened] == ["dev", "test"]


def test_connection_of_a_failed_operation_is_closed_and_not_lent_again(connector: Connector) -> None:
    connections = Connections(connector)
    with pytest.raises(KeyError), connections.lend("dev"):
        raise KeyError
    with connections.lend("dev"):
        pass
    # The generator that made it sees the error and ends there.
    assert len(connector.opened) == 2


def test_no_more_connections_than_the_limit_are_open_however_many_ask(connector: Connector) -> None:
    connections = Connections(connector, limit=2)
    first, met = threading.Barrier(2), threading.Semaphore(0)

    def use(number: int) -> None:
        with connections.lend("dev"):
            if number < 2:
                first.wait(timeout=10)
            met.release()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(use, range(12)))
    assert len(connector.opened) == 2


def test_operation_that_nobody_wants_any_more_is_refused_before_it_gets_a_connection(connector: Connector) -> None:
    def check() -> None:
        raise LockError("killed")

    connections = Connections(connector, check=check)
    with pytest.raises(LockError, match="killed"), connections.lend("dev"):
        pytest.fail("lent")
    assert connector.opened == []


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_observation_asks_once_for_many_services_and_again_after_a_while() -> None:
    subject, clock = FakeOrchestrator(), Clock()
    observation = Observation(subject.lend, clock)
    assert [observation.holdings("dev") for _ in range(3)] == [Holdings()] * 3
    assert subject.lent == ["dev"]
    clock.now += Observation.KNOWN_S
    subject.held = Holdings(claim="c")
    assert observation.holdings("dev") == Holdings(claim="c")
    observation.holdings("test")
    assert subject.lent == ["dev", "dev", "test"]


def test_observation_of_an_orchestrator_that_does_not_run_or_answer_is_none() -> None:
    stopped, failing = FakeOrchestrator(), FakeOrchestrator()
    stopped.held, failing.failure = None, HostError("no engine answers")
    for each in (stopped, failing):
        assert Observation(each.lend, Clock()).holdings("dev") is None
