from contextlib import contextmanager

import pytest

from components.request import Connections


class Orchestrator:
    def __init__(self, stack):
        self.stack = stack
        self.closed = False


class Connector:
    """Opens orchestrators and keeps them all."""

    def __init__(self):
        self.opened = []

    @contextmanager
    def __call__(self, stack):
        made = Orchestrator(stack)
        self.opened.append(made)
        yield made
        made.closed = True


@pytest.fixture
def connector():
    return Connector()


def test_connection_is_used_again_by_the_next_operation(connector):
    connections = Connections(connector)
    with connections.lend("dev") as first:
        pass
    with connections.lend("dev") as second:
        assert second is first
    assert not first.closed


def test_operations_at_the_same_time_have_connections_of_their_own(connector):
    connections = Connections(connector)
    with connections.lend("dev") as first, connections.lend("dev") as second:
        assert first is not second


def test_stacks_have_connections_of_their_own(connector):
    connections = Connections(connector)
    with connections.lend("dev"):
        pass
    with connections.lend("test") as other:
        assert other.stack == "test"


def test_connection_of_a_failed_operation_is_closed_and_not_lent_again(connector):
    connections = Connections(connector)
    with pytest.raises(KeyError), connections.lend("dev"):
        raise KeyError
    with connections.lend("dev") as second:
        assert not second.closed
    assert [each.closed for each in connector.opened] == [True, False]
