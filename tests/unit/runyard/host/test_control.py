import json

import pytest

from runyard import contracts, names
from runyard.contracts import OrchestratorStatus, RolloutRequest, RouteRequest, TrafficShare
from runyard.errors import HostError, HostUnreachable, NotFound, RolloutError
from runyard.host.control import START_TIMEOUT_S, Orchestrator
from runyard.host.engine import Execution


class FakeEngine:
    """Answers executions from a script, the last answer for ever, and records the commands."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.commands = []

    def execute(self, container, command):
        self.commands.append((container, list(command)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def last_lines(self, container, count):
        return ["address 127.0.0.1:3001 already in use"][:count]


class FakeClock:
    """A clock that moves only when somebody waits."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


def answered(status, body=""):
    return Execution(0, f"{body}\n{status}", "")


def orchestrator(*answers):
    engine, clock = FakeEngine(*answers), FakeClock()
    return Orchestrator(engine, "dev", clock, clock.wait), engine, clock


def test_route_is_put_through_the_control_socket_as_a_message():
    subject, engine, _ = orchestrator(answered(200))
    request = RouteRequest("default", "hello", ("hello.localhost",))
    subject.apply_route(request)
    container, command = engine.commands[0]
    assert container == "runyard.dev.orchestrator"
    assert command[0] == "curl"
    assert command[command.index("--unix-socket") + 1] == names.ORCHESTRATOR_SOCKET
    assert command[command.index("--request") + 1] == "PUT"
    assert command[-1] == "http://orchestrator/v1/routes/default/hello"
    assert contracts.decode(RouteRequest, command[command.index("--data-raw") + 1]) == request


def test_rollout_may_take_its_deadline_and_a_margin():
    subject, engine, _ = orchestrator(answered(200))
    subject.apply_rollout(RolloutRequest("default", "hello", (TrafficShare("r", 100),), deadline_s=600))
    command = engine.commands[0][1]
    assert command[command.index("--max-time") + 1] == "660"


@pytest.mark.parametrize(("call", "path"), [("remove_route", "routes"), ("remove_rollout", "rollouts")])
def test_removal_is_a_delete(call, path):
    subject, engine, _ = orchestrator(answered(204))
    getattr(subject, call)("acme", "web")
    command = engine.commands[0][1]
    assert command[command.index("--request") + 1] == "DELETE"
    assert command[-1] == f"http://orchestrator/v1/{path}/acme/web"


def test_status_is_decoded():
    status = OrchestratorStatus(generation=3, in_step=True)
    subject, _, _ = orchestrator(answered(200, contracts.encode(status)))
    assert subject.status() == status


def test_failed_rollout_is_told_with_its_last_lines():
    problem = {"title": "rollout failed", "detail": "revision hello-1: exited with code 3", "logs": ["one", "two"]}
    subject, _, _ = orchestrator(answered(409, json.dumps(problem)))
    with pytest.raises(RolloutError) as caught:
        subject.apply_rollout(RolloutRequest("default", "hello", ()))
    assert str(caught.value) == "revision hello-1: exited with code 3\n  | one\n  | two"


def test_other_refusals_say_what_was_asked_and_answered():
    subject, _, _ = orchestrator(answered(504, '{"title": "gateway does not answer"}'))
    with pytest.raises(HostError) as caught:
        subject.remove_route("default", "hello")
    assert str(caught.value) == ("DELETE /v1/routes/default/hello: orchestrator answered 504: gateway does not answer")


def test_refusal_that_is_not_json_is_shown_as_it_came():
    subject, _, _ = orchestrator(answered(500, "<oops>"))
    with pytest.raises(HostError, match="answered 500: <oops>"):
        subject.status()


@pytest.mark.parametrize(
    "not_up",
    [Execution(7, "", "refused"), Execution(56, "", "reset"), Execution(137, "", ""), NotFound("no container")],
)
def test_call_waits_for_an_orchestrator_that_is_starting(not_up):
    subject, engine, _ = orchestrator(not_up, not_up, answered(200))
    subject.remove_route("default", "hello")
    assert len(engine.commands) == 3


def test_call_gives_up_on_an_orchestrator_that_never_starts():
    subject, _, clock = orchestrator(Execution(7, "", "could not connect"))
    with pytest.raises(HostError) as caught:
        subject.status()
    assert str(caught.value) == (
        "reach the orchestrator runyard.dev.orchestrator within 30 s: could not connect\n"
        "  | address 127.0.0.1:3001 already in use"
    )
    assert START_TIMEOUT_S <= clock.now < START_TIMEOUT_S + 1


def test_call_does_not_wait_for_an_engine_that_is_gone():
    subject, engine, _ = orchestrator(HostUnreachable("no engine"))
    with pytest.raises(HostUnreachable):
        subject.status()
    assert len(engine.commands) == 1


def test_curl_that_fails_otherwise_is_an_error_with_its_words():
    subject, _, _ = orchestrator(Execution(28, "", "curl: (28) timed out\n"))
    with pytest.raises(HostError, match=r"GET /v1/status: orchestrator: curl: \(28\) timed out"):
        subject.status()
