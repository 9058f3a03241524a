"""Control: what is listed, scaled and restarted, as requests and as the answers that are read."""

from __future__ import annotations

import json

import pytest

from runyard import contracts
from runyard.contracts import (
    DecisionList,
    DrainAccepted,
    DrainRequest,
    InstanceList,
    InstanceStatus,
    Override,
    Pause,
    PauseRequest,
    RecordedLoad,
    RestartAccepted,
    RestartRequest,
    RevisionList,
    RevisionStatus,
    ScaleRequest,
    ScalingDecision,
    ServiceList,
    ServiceStatus,
)
from runyard.errors import ContractError, HostError, NotFound, UsageError

from .test_control import answered, orchestrator

WEB = ServiceStatus("acme", "web", ("web.acme.localhost",), (), ())
BY_HAND = Override("acme", "web", 3, 2000)
INSTANCES = InstanceList((InstanceStatus("acme", "web", "web-1", "a1", "ready", "10.130.0.4"),))
DECISION = ScalingDecision("acme", "web", "web-1", 1, 1000.5, 1, 3, "by-hand", "asked for", {"asked": 3.0})
SCALE = ScaleRequest("acme", "web", 3, 60)
RESTART = RestartRequest("acme", "web", ("a1",))


def told(message: object) -> tuple[int, str]:
    return answered(200, contracts.encode(message))


def problem(status: int, detail: str) -> tuple[int, str]:
    return answered(status, json.dumps({"title": "no", "status": status, "detail": detail, "logs": []}))


def test_services_come_with_the_counts_by_hand() -> None:
    listed = ServiceList((WEB,), (BY_HAND,))
    subject, engine, _ = orchestrator(told(listed))
    assert subject.services() == listed
    assert engine.requests[0][:2] == ("GET", "/v1/services")


def test_listings_of_a_service_are_asked_for_by_tenant_and_name() -> None:
    revisions = RevisionList((RevisionStatus("acme", "web", "web-1", 3, 1),))
    decisions = DecisionList((DECISION,))
    subject, engine, _ = orchestrator(told(revisions), told(INSTANCES), told(decisions), told(INSTANCES))
    assert subject.revisions("acme", "web") == revisions
    assert subject.instances("acme", "web") == INSTANCES
    assert subject.decisions("acme", "web") == decisions
    assert subject.instances() == INSTANCES
    assert [path for _, path, *_ in engine.requests] == [
        "/v1/revisions?service=acme/web",
        "/v1/instances?service=acme/web",
        "/v1/decisions?service=acme/web",
        "/v1/instances",
    ]


def test_recorded_load_is_asked_for_by_name_and_none_without_such_a_service() -> None:
    recorded = RecordedLoad("acme", "web", 0, 600, ((3, 5, 400, 2),))
    subject, engine, _ = orchestrator(told(recorded), problem(404, "recorded load acme/cart: none"))
    assert subject.recorded_load("acme", "web") == recorded
    assert subject.recorded_load("acme", "cart") is None
    assert [path for _, path, *_ in engine.requests] == [
        "/v1/recorded-load?service=acme/web",
        "/v1/recorded-load?service=acme/cart",
    ]


def test_name_cannot_add_to_a_query() -> None:
    subject, engine, _ = orchestrator(told(InstanceList()))
    subject.instances("acme", "web&x=1#y")
    assert engine.requests[0][1] == "/v1/instances?service=acme/web%26x%3D1%23y"


def test_scaling_is_put_and_taken_back() -> None:
    subject, engine, _ = orchestrator(told(BY_HAND), answered(200, '{"status":"done"}'))
    assert subject.scale(SCALE) == BY_HAND
    subject.end_scale("acme", "web")
    (put, delete) = engine.requests
    assert (put[:2], contracts.decode(ScaleRequest, put[2])) == (("PUT", "/v1/overrides/acme/web"), SCALE)
    assert delete[:3] == ("DELETE", "/v1/overrides/acme/web", "")


def test_restart_names_its_instances_so_that_it_can_be_repeated() -> None:
    accepted = RestartAccepted(("a1",))
    subject, engine, _ = orchestrator(told(accepted))
    assert subject.restart(RESTART) == subject.restart(RESTART) == accepted
    assert [each[:2] for each in engine.requests] == [("PUT", "/v1/restarts/acme/web")] * 2
    assert contracts.decode(RestartRequest, engine.requests[1][2]) == RESTART


def test_number_that_is_refused_is_told_with_the_rule() -> None:
    detail = "scale acme/web: count must be from 0 to 2, got 3"
    subject, _, _ = orchestrator(problem(400, detail))
    with pytest.raises(UsageError) as caught:
        subject.scale(SCALE)
    # Whoever typed it sees the rule, and the code of a command line that cannot be used.
    assert (str(caught.value), caught.value.exit_code) == (detail, 2)
    # Nobody types the names of a restart: a refused one is a fault between the two sides.
    with pytest.raises(HostError) as failed:
        subject.restart(RESTART)
    assert str(failed.value) == f"PUT /v1/restarts/acme/web: orchestrator answered 400: {detail}"


def test_service_that_is_gone_is_not_found() -> None:
    subject, _, _ = orchestrator(problem(404, "restart acme/web: it has no traffic in force"))
    with pytest.raises(NotFound, match=r"^restart acme/web: it has no traffic in force$"):
        subject.restart(RESTART)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"state": "paused"}, "InstanceList.instances[0].state: must be one of starting, ready, failed, ending"),
        ({"address": None}, "InstanceList.instances[0].address: must be of type str"),
        ({"extra": 1}, "InstanceList.instances[0]: unknown field 'extra'"),
    ],
)
def test_listing_that_does_not_fit_says_where(change: dict[str, object], where: str) -> None:
    listed = json.loads(contracts.encode(INSTANCES))
    listed["instances"][0] |= change
    subject, _, _ = orchestrator(answered(200, json.dumps(listed)))
    with pytest.raises(ContractError) as caught:
        subject.instances()
    assert where in str(caught.value)


@pytest.mark.parametrize("message", [SCALE, RESTART, BY_HAND, INSTANCES, DecisionList((DECISION,))])
def test_messages_are_read_back_as_they_were_written(message: object) -> None:
    assert contracts.decode(type(message), contracts.encode(message)) == message


def test_newer_reader_takes_an_older_writers_instance() -> None:
    older = '{"instances":[{"tenant":"a","service":"b","revision":"b-1","instance":"1","state":"ready"}]}'
    (instance,) = contracts.decode(InstanceList, older).instances
    assert (instance.address, instance.reason, instance.restarting) == ("", "", False)


def test_pause_is_put_with_its_length_and_resuming_is_a_delete() -> None:
    pause = Pause("acme", "web", 2000)
    subject, engine, _ = orchestrator(told(pause), answered(200))
    request = PauseRequest("acme", "web", 60)
    assert subject.pause(request) == pause
    subject.resume("acme", "web")
    (method, path, body, _), deleted = engine.requests
    assert (method, path, contracts.decode(PauseRequest, body)) == ("PUT", "/v1/pauses/acme/web", request)
    assert deleted[:3] == ("DELETE", "/v1/pauses/acme/web", "")


@pytest.mark.parametrize(("status", "kind"), [(400, UsageError), (404, NotFound), (500, HostError)])
def test_pause_that_is_refused_says_why(status: int, kind: type[Exception]) -> None:
    subject, _, _ = orchestrator(problem(status, "pause acme/web: for_s must be from 1 to 604800, got 604801"))
    with pytest.raises(kind) as caught:
        subject.pause(PauseRequest("acme", "web", 604801))
    assert str(caught.value).endswith("pause acme/web: for_s must be from 1 to 604800, got 604801")


def test_drain_names_its_instances() -> None:
    subject, engine, _ = orchestrator(told(DrainAccepted(("a1",))))
    request = DrainRequest("acme", "web", ("a1", "a2"))
    assert subject.drain(request) == DrainAccepted(("a1",))
    method, path, body, _ = engine.requests[0]
    assert (method, path, contracts.decode(DrainRequest, body)) == ("PUT", "/v1/drains/acme/web", request)
