import json

import pytest

from runyard import contracts, names
from runyard.contracts import (
    CertificateRequest,
    Holdings,
    OrchestratorStatus,
    RollbackRequest,
    RolloutAccepted,
    RolloutOutcome,
    RolloutOutcomes,
    RolloutRequest,
    RouteRequest,
    RunRequest,
    RunStatus,
    ServiceHolding,
    ServiceRequest,
    SignedRevision,
    TrafficShare,
)
from runyard.errors import (
    Conflict,
    HostError,
    HostUnreachable,
    NotFound,
    PolicyError,
    RelayEnded,
    RolloutError,
    UsageError,
)
from runyard.host.control import START_TIMEOUT_S, Orchestrator


class FakeRelay:
    """Answers from the engine's script and records what was asked."""

    def __init__(self, engine):
        self.engine = engine
        self.closed = False

    def request(self, method, path, body, timeout_s):
        assert not self.closed
        self.engine.requests.append((method, path, body, timeout_s))
        return self.engine.next_answer()

    def close(self):
        self.closed = True


class FakeEngine:
    """Gives relays that answer from a script, the last answer for ever; `refusals` are for opening one."""

    def __init__(self, *answers, refusals=()):
        self.answers = list(answers)
        self.refusals = list(refusals)
        self.commands = []
        self.requests = []
        self.relays = []

    def relay(self, container, command):
        self.commands.append((container, list(command)))
        if self.refusals:
            raise self.refusals.pop(0)
        self.relays.append(FakeRelay(self))
        return self.relays[-1]

    def next_answer(self):
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
    return status, body


def orchestrator(*answers, refusals=()):
    engine, clock = FakeEngine(*answers, refusals=refusals), FakeClock()
    return Orchestrator(engine, "dev", clock, clock.wait), engine, clock


def service_request(tenant="default", service="hello"):
    return ServiceRequest(
        RouteRequest(tenant, service, (f"{service}.localhost",)),
        RolloutRequest(tenant, service, (TrafficShare("r", 100),), deadline_s=600),
        (SignedRevision("{}", "c2ln"),),
        {"d1": "canary"},
    )


def test_service_is_put_through_the_control_socket_as_a_message():
    subject, engine, _ = orchestrator(answered(202, contracts.encode(RolloutAccepted("e", 7))))
    request = service_request()
    assert subject.put_service(request) == RolloutAccepted("e", 7)
    container, command = engine.commands[0]
    assert container == "runyard.dev.orchestrator"
    assert command[-2:] == ["runyard.relay", names.ORCHESTRATOR_SOCKET]
    # It is accepted at once, whatever time the rollout may take.
    method, path, body, timeout_s = engine.requests[0]
    assert (method, path, timeout_s) == ("PUT", "/v1/services/default/hello", 60)
    assert contracts.decode(ServiceRequest, body) == request


def test_service_that_is_refused_is_told_without_its_values():
    problem = {"title": "bad request", "detail": "revisions: must be signed by the stack's key, got hello-1"}
    subject, _, _ = orchestrator(answered(400, json.dumps(problem)))
    with pytest.raises(HostError) as caught:
        subject.put_service(service_request())
    assert str(caught.value) == (
        "PUT /v1/services/default/hello: orchestrator answered 400: "
        "revisions: must be signed by the stack's key, got hello-1"
    )


def test_outcomes_may_take_as_long_as_they_are_waited_for():
    told = RolloutOutcomes("e", 3, (RolloutOutcome(7, "default", "hello", "failed", "no answer", ("last line",)),))
    subject, engine, _ = orchestrator(answered(200, contracts.encode(told)))
    assert subject.outcomes(2, 30) == told
    assert engine.requests[0] == ("GET", "/v1/rollouts?after=2&wait=30", "", 90)
    subject.outcomes(0, 0.5)
    assert engine.requests[1][1] == "/v1/rollouts?after=0&wait=0.5"


def test_run_is_begun_waited_for_and_taken_leave_of():
    told = RunStatus("acme", "web", "web-1", "ab12", "running", container="c1")
    subject, engine, _ = orchestrator(answered(202, contracts.encode(told)))
    request = RunRequest("acme", "web", "ab12", ("migrate",), environment={"A": "b"})
    assert subject.begin_run(request) == told
    method, path, body, _ = engine.requests[0]
    assert (method, path, contracts.decode(RunRequest, body)) == ("PUT", "/v1/runs/acme/web/ab12", request)
    assert subject.await_run("acme", "web", "ab12", 5) == told
    # The answer comes when the wait is over, at the latest.
    assert engine.requests[1] == ("GET", "/v1/runs/acme/web/ab12?wait=5", "", 65)
    subject.end_run("acme", "web", "ab12")
    assert engine.requests[2][:3] == ("DELETE", "/v1/runs/acme/web/ab12", "")


@pytest.mark.parametrize(
    ("status", "error"), [(400, UsageError), (403, PolicyError), (404, NotFound), (502, HostError)]
)
def test_run_that_is_refused_is_an_error_of_its_kind(status, error):
    subject, _, _ = orchestrator(answered(status, json.dumps({"detail": "run acme/web: no"})))
    with pytest.raises(error) as caught:
        subject.begin_run(RunRequest("acme", "web", "ab12", ("migrate",)))
    assert type(caught.value) is error
    assert str(caught.value).endswith("run acme/web: no")


def test_removal_is_a_delete():
    subject, engine, _ = orchestrator(answered(200))
    subject.remove_service("acme", "web")
    assert engine.requests[0][:3] == ("DELETE", "/v1/services/acme/web", "")


def test_holdings_are_decoded():
    held = Holdings((ServiceHolding("acme", "web", {"web-1": "d"}, settled=True),), claim="c", in_step=True)
    subject, engine, _ = orchestrator(answered(200, contracts.encode(held)))
    assert subject.holdings() == held
    assert engine.requests[0][:2] == ("GET", "/v1/holdings")


def test_claim_is_kept_as_it_is_put():
    subject, engine, _ = orchestrator(
        answered(204), answered(200, '{"stack":"dev"}'), answered(404, '{"title": "none"}')
    )
    subject.put_claim('{"stack":"dev"}')
    assert subject.claim() == '{"stack":"dev"}'
    assert subject.claim(patience_s=2) is None
    assert engine.requests == [
        ("PUT", "/v1/claim", '{"stack":"dev"}', 60),
        ("GET", "/v1/claim", "", START_TIMEOUT_S + 5),
        ("GET", "/v1/claim", "", 7),
    ]


def test_calls_share_one_connection():
    subject, engine, _ = orchestrator(answered(204))
    subject.remove_service("acme", "web")
    subject.remove_certificate("shop")
    assert len(engine.commands) == 1
    subject.close()
    assert engine.relays[0].closed


def test_call_after_a_failed_one_opens_another_connection():
    subject, engine, _ = orchestrator(HostError("no answer within 60 s"), answered(204))
    with pytest.raises(HostError, match=r"^DELETE /v1/services/acme/web: orchestrator: no answer within 60 s$"):
        subject.remove_service("acme", "web")
    subject.remove_service("acme", "web")
    assert [each.closed for each in engine.relays] == [True, False]


def test_status_is_decoded():
    status = OrchestratorStatus(generation=3, in_step=True)
    subject, _, _ = orchestrator(answered(200, contracts.encode(status)))
    assert subject.status() == status


def test_failed_rollout_is_told_with_its_last_lines():
    problem = {"title": "rollout failed", "detail": "revision hello-1: exited with code 3", "logs": ["one", "two"]}
    subject, _, _ = orchestrator(answered(409, json.dumps(problem)))
    with pytest.raises(RolloutError) as caught:
        subject.roll_back(RollbackRequest("default", "hello", "hello-1"))
    assert str(caught.value) == "revision hello-1: exited with code 3\n  | one\n  | two"


def test_rollback_is_put_by_name_and_what_is_not_kept_is_told_as_it_came():
    subject, engine, _ = orchestrator(answered(204), answered(404, json.dumps({"detail": "rollback: must be kept"})))
    subject.roll_back(RollbackRequest("shop", "web", "web-1", 20))
    method, path, body, timeout_s = engine.requests[0]
    assert (method, path) == ("PUT", "/v1/rollbacks/shop/web")
    assert contracts.decode(RollbackRequest, body).revision == "web-1"
    assert timeout_s > 20
    with pytest.raises(NotFound, match=r"^rollback: must be kept$"):
        subject.roll_back(RollbackRequest("shop", "web", "web-0"))


def test_status_may_have_less_patience_with_an_orchestrator_that_is_not_there():
    refusals = [NotFound("no such container")] * 1000
    subject, _, clock = orchestrator(answered(200), refusals=refusals)
    with pytest.raises(HostError, match="within 2 s"):
        subject.status(2)
    assert clock.now == pytest.approx(2, abs=0.2)


def test_other_refusals_say_what_was_asked_and_answered():
    subject, _, _ = orchestrator(answered(504, '{"title": "gateway does not answer"}'))
    with pytest.raises(HostError) as caught:
        subject.remove_service("default", "hello")
    assert str(caught.value) == (
        "DELETE /v1/services/default/hello: orchestrator answered 504: gateway does not answer"
    )


@pytest.mark.parametrize("answer", ["<oops>", '"oops"'])
def test_refusal_that_is_no_problem_is_shown_as_it_came(answer):
    subject, _, _ = orchestrator(answered(500, answer))
    with pytest.raises(HostError, match=f"answered 500: {answer}"):
        subject.status()


@pytest.mark.parametrize("running", [True, False])
def test_orchestrator_runs_when_its_container_does(running):
    engine = FakeEngine()
    engine.running = lambda container: running and container == "runyard.dev.orchestrator"
    assert Orchestrator(engine, "dev").running() is running


def test_call_waits_for_a_container_that_is_starting():
    subject, engine, _ = orchestrator(answered(200), refusals=[NotFound("no container"), Conflict("is not running")])
    subject.remove_service("default", "hello")
    assert len(engine.commands) == 3


def test_request_that_nobody_answered_is_asked_again_on_another_connection():
    subject, engine, _ = orchestrator(RelayEnded("restarted"), RelayEnded("refused"), answered(200))
    subject.remove_service("default", "hello")
    assert len(engine.requests) == 3
    assert [each.closed for each in engine.relays] == [True, True, False]


def test_call_gives_up_on_an_orchestrator_that_never_starts():
    subject, _, clock = orchestrator(RelayEnded("could not connect"))
    with pytest.raises(HostError) as caught:
        subject.status()
    assert str(caught.value) == (
        "reach the orchestrator runyard.dev.orchestrator within 30 s: could not connect\n"
        "  | address 127.0.0.1:3001 already in use"
    )
    assert START_TIMEOUT_S <= clock.now < START_TIMEOUT_S + 1


def test_call_does_not_wait_for_an_engine_that_is_gone():
    subject, engine, _ = orchestrator(answered(200), refusals=[HostUnreachable("no engine")] * 2)
    with pytest.raises(HostUnreachable):
        subject.status()
    assert len(engine.commands) == 1


def test_certificate_is_put_and_removed_by_name_and_the_authority_asked_for():
    engine = FakeEngine((200, "PEM"))
    orchestrator = Orchestrator(engine, "dev")
    message = CertificateRequest("shop", "CHAIN", "KEY")
    orchestrator.apply_certificate(message)
    orchestrator.remove_certificate("shop")
    assert orchestrator.authority() == "PEM"
    assert [request[:3] for request in engine.requests] == [
        ("PUT", "/v1/certificates/shop", contracts.encode(message)),
        ("DELETE", "/v1/certificates/shop", ""),
        ("GET", "/v1/authority", ""),
    ]
