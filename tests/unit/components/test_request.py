from contextlib import contextmanager

import pytest

from components.request import Connections, Observation
from components.rollout import was_moved
from runyard.contracts import OrchestratorStatus, ServiceStatus, ShiftStatus, TrafficShare
from runyard.errors import HostError


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


SHARES = (TrafficShare("hello-2", 100),)


class Observed:
    """An orchestrator that runs or does not, and answers or fails; it counts how often it was asked."""

    def __init__(self, *, runs=True, fails=False, shift=None):
        self.runs = runs
        self.shift = shift
        self.fails = fails
        self.asked = 0

    @contextmanager
    def lend(self, stack):
        if self.fails:
            raise HostError("no engine answers")
        yield self

    def running(self):
        return self.runs

    def status(self, patience_s):
        assert patience_s <= 5
        self.asked += 1
        return OrchestratorStatus(1, True, (ServiceStatus("default", "hello", (), (), SHARES, shift=self.shift),))


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_observation_asks_once_for_many_services_and_again_after_a_while():
    subject, clock = Observed(), Clock()
    observation = Observation(subject.lend, clock)
    assert observation.traffic("dev", "default/hello") == SHARES
    assert observation.traffic("dev", "default/unknown") == ()
    assert subject.asked == 1
    clock.now += Observation.KNOWN_S
    observation.traffic("dev", "default/hello")
    assert subject.asked == 2
    observation.traffic("test", "default/hello")
    assert subject.asked == 3


def test_observation_of_traffic_on_its_way_is_where_it_goes_so_that_a_preview_shows_no_change():
    goal = (TrafficShare("hello-3", 100),)
    subject = Observed(shift=ShiftStatus(goal, remaining_s=60))
    assert Observation(subject.lend, Clock()).traffic("dev", "default/hello") == goal


@pytest.mark.parametrize("subject", [Observed(runs=False), Observed(fails=True)])
def test_observation_of_an_orchestrator_that_does_not_answer_is_none(subject):
    assert Observation(subject.lend, Clock()).traffic("dev", "default/hello") is None
    assert subject.asked == 0


def test_traffic_counts_as_moved_when_it_is_known_to_be_other_than_what_was_applied():
    share = {"revision": "hello-2", "percent": 100.0, "tag": ""}
    applied = {"tenant": "default", "service": "hello", "traffic": [share], "history": ["hello-2"], "digest": "d"}
    assert not was_moved(applied, SHARES)
    assert not was_moved(applied, None)
    assert was_moved(applied, (TrafficShare("hello-1", 100),))
    assert was_moved(applied, ())
