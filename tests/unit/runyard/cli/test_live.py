"""Commands about a live service, `ps`, `scale`, `why` and `restart`: to the engine's socket and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from runyard import contracts
from runyard.cli.live import Target
from runyard.cli.main import main
from runyard.cli.restart import choose_instances, wait_for_end
from runyard.cli.why import last_of_each
from runyard.contracts import (
    DecisionList,
    DrainAccepted,
    InstanceList,
    InstanceStatus,
    OrchestratorStatus,
    Override,
    Pause,
    RestartAccepted,
    RestartRequest,
    RevisionList,
    RevisionStatus,
    ScalingDecision,
    ServiceList,
    ServiceStatus,
    TrafficShare,
)
from runyard.errors import DeadlineError, NotFound
from tests.unit.runyard.host.docker_api import DockerApi

# Of sockets that the SDK leaves open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

WEB = ServiceStatus("shop", "web", ("web.shop.localhost",), (), (TrafficShare("web-2", 100),))
CART = ServiceStatus("shop", "cart", (), (), (TrafficShare("cart-1", 100),))
BY_HAND = Override("shop", "web", 2, 1_795_442_400)
WEB_2 = RevisionStatus("shop", "web", "web-2", desired=2, ready=1, reason="container app: exited with code 3")
CART_1 = RevisionStatus("shop", "cart", "cart-1", desired=0, ready=0)
SERVICES = ServiceList((CART, WEB), (BY_HAND,))
INSTANCES = InstanceList(
    (
        InstanceStatus("shop", "web", "web-2", "ff", "ready", "10.130.0.4", restarting=True),
        InstanceStatus("shop", "web", "web-2", "100", "starting", "10.130.0.5", "startup probe HTTP 500"),
    )
)
BY_TENANT = ["--tenant", "shop"]


def decision(number: int, before: int, count: int, revision: str = "web-2", why: str = "by-hand") -> ScalingDecision:
    reason = f"reason {number}"
    return ScalingDecision("shop", "web", revision, number, 1_795_438_800.0, before, count, why, reason, {"asked": 2.0})


def relayed(docker_api: DockerApi, *messages: Any) -> None:
    docker_api.relayed = [json.loads(contracts.encode(each)) for each in messages]


def asked(docker_api: DockerApi) -> list[str]:
    return [line for line, _ in docker_api.sent]


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


# ps


def test_ps_lists_instances_by_age_and_revisions_without_any(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    relayed(docker_api, SERVICES, OrchestratorStatus(1, True, (CART, WEB), (CART_1, WEB_2)), INSTANCES)
    assert main(["ps"]) == 0
    assert lines(capsys) == [
        "service    revision  instance  state        address     note",
        "shop/cart  cart-1    -         none wanted  -",
        "shop/web   web-2     ff        ready        10.130.0.4  to be restarted",
        "shop/web   web-2     100       starting     10.130.0.5  startup probe HTTP 500",
        "shop/web: 2 instances by hand until 2026-11-23 14:00:00Z",
    ]


def test_ps_of_a_service_has_it_alone_in_every_form(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    status = OrchestratorStatus(1, True, (CART, WEB), (CART_1, WEB_2))
    relayed(docker_api, *[SERVICES, status, INSTANCES] * 3)
    assert main(["ps", "cart", *BY_TENANT]) == 0
    assert len(lines(capsys)) == 2
    assert main(["ps", "web", *BY_TENANT, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["instance"] for each in told["instances"]] == ["ff", "100"]
    assert ([each["revision"] for each in told["revisions"]], told["overrides"][0]["count"]) == (["web-2"], 2)
    assert main(["ps", "web", *BY_TENANT, "-o", "markdown"]) == 0
    assert lines(capsys)[:3:2] == [
        "| service | revision | instance | state | address | note |",
        "| shop/web | web-2 | ff | ready | 10.130.0.4 | to be restarted |",
    ]


def test_ps_says_why_a_revision_has_no_instance_that_should_have_some(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    relayed(docker_api, SERVICES, OrchestratorStatus(1, True, (WEB,), (WEB_2,)), InstanceList())
    assert main(["ps"]) == 0
    assert lines(capsys)[1] == "shop/web  web-2     -         none of 2  -        container app: exited with code 3"


def test_ps_of_a_stack_that_runs_nothing_says_so(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    relayed(docker_api, ServiceList(), OrchestratorStatus(1, True), InstanceList())
    assert main(["ps"]) == 0
    assert lines(capsys) == ["nothing runs"]


@pytest.mark.parametrize("command", [["ps", "x"], ["scale", "x", "2"], ["why", "x"], ["restart", "x"]])
def test_service_that_there_is_not_is_told_with_those_that_there_are(
    command: list[str], docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    relayed(docker_api, SERVICES, OrchestratorStatus(1, True), InstanceList())
    assert main([*command, *BY_TENANT]) == 1
    told = f"error: {command[0]} shop/x: must be a service of the stack (shop/cart, shop/web)\n"
    assert capsys.readouterr().err == told
    assert all(each.startswith("GET ") for each in asked(docker_api))


@pytest.mark.parametrize(("kind", "options"), [("service", ["a b"]), ("tenant", ["web", "--tenant", "../x"])])
def test_name_that_could_be_more_than_a_part_of_a_path_is_refused(
    kind: str, options: list[str], docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    relayed(docker_api, SERVICES)
    assert main(["scale", options[0], "2", *options[1:]]) == 2
    assert capsys.readouterr().err.startswith(f"error: scale: {kind} must be a DNS label, got ")


# scale


def test_scale_asks_for_a_number_and_says_until_when(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    relayed(docker_api, ServiceList((WEB,)), BY_HAND, SERVICES, BY_HAND)
    assert main(["scale", "web", "2", "--for", "30m", *BY_TENANT]) == 0
    assert lines(capsys) == [
        "shop/web: 2 instances by hand until 2026-11-23 14:00:00Z; "
        "before: as many instances as manifest and load ask for"
    ]
    sent = {"tenant": "shop", "service": "web", "count": 2, "for_s": 1800, "version": 1}
    assert docker_api.sent[1] == ("PUT /v1/overrides/shop/web", sent)
    assert main(["scale", "web", "2", *BY_TENANT, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["service"], told["before"]["count"], told["after"]["until_unix_s"]) == ("web", 2, 1_795_442_400)
    assert docker_api.sent[3][1]["for_s"] == 3600


def test_scale_gives_the_number_back_to_manifest_and_load(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    docker_api.relayed = [json.loads(contracts.encode(SERVICES)), {"status": "done"}]
    assert main(["scale", "web", "--end", *BY_TENANT]) == 0
    assert lines(capsys) == [
        "shop/web: as many instances as manifest and load ask for; "
        "before: 2 instances by hand until 2026-11-23 14:00:00Z"
    ]
    assert asked(docker_api)[1] == "DELETE /v1/overrides/shop/web"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "scale: must be given COUNT or --end, got neither"),
        (["2", "--end"], "scale: must be given COUNT or --end, got both"),
        (["2", "--for", "soon"], "must be a duration of whole seconds such as 60s, 5m or 1h, got 'soon'"),
        (["-1"], "No such option"),
    ],
)
def test_scale_that_cannot_be_meant_is_refused_before_anybody_is_asked(
    options: list[str], told: str, docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scale", "web", *options]) == 2
    assert told in capsys.readouterr().err
    assert docker_api.asked == []


# why


def test_why_tells_the_last_decisions_of_each_revision_the_newest_first(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    made = DecisionList((decision(1, 0, 1), decision(2, 2, 0, "web-1"), decision(3, 1, 2)))
    relayed(docker_api, *[SERVICES, RevisionList((WEB_2,)), made] * 2)
    assert main(["why", "web", *BY_TENANT]) == 0
    assert lines(capsys) == [
        "shop/web: 2 instances by hand until 2026-11-23 14:00:00Z",
        "  web-2: 2 instances wanted, 1 ready; last failure: container app: exited with code 3",
        "    2026-11-23 13:00:00Z  1 -> 2: reason 3",
        "    2026-11-23 13:00:00Z  0 -> 1: reason 1",
        "  web-1: none wanted, none ready",
        "    2026-11-23 13:00:00Z  2 -> 0: reason 2",
    ]
    assert asked(docker_api)[1:] == ["GET /v1/revisions?service=shop/web", "GET /v1/decisions?service=shop/web"]
    assert main(["why", "web", *BY_TENANT, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["override"]["count"], told["decisions"][2]["inputs"]) == (2, {"asked": 2.0})


def test_why_says_that_nothing_was_decided_yet(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    one = RevisionStatus("shop", "web", "web-2", desired=1, ready=1)
    relayed(docker_api, ServiceList((WEB,)), RevisionList((one,)), DecisionList())
    assert main(["why", "web", *BY_TENANT]) == 0
    assert lines(capsys) == [
        "shop/web",
        "  web-2: 1 instance wanted, 1 ready",
        "    no decision since the orchestrator was started",
    ]


def test_last_decisions_are_counted_by_revision() -> None:
    made = [decision(number, 0, 1, f"web-{1 + number % 2}") for number in range(1, 8)]
    assert [each.number for each in last_of_each(made, 2)] == [4, 5, 6, 7]
    assert [each.number for each in last_of_each(made, 9)] == [1, 2, 3, 4, 5, 6, 7]


# restart


class Restarting:
    """An orchestrator that replaces one of the instances each time that it is looked at."""

    def __init__(self, *instances: str) -> None:
        self.there = list(instances)
        self.marked: list[str] = []
        self.requests: list[RestartRequest] = []
        self.ready = len(instances)

    def instances(self, tenant: str = "", service: str = "") -> InstanceList:
        if self.marked:
            gone = self.marked.pop(0)
            self.there = [*(each for each in self.there if each != gone), f"{gone}-new"]
        return InstanceList(tuple(InstanceStatus(tenant, service, "web-2", each, "ready") for each in self.there))

    def revisions(self, tenant: str, service: str) -> RevisionList:
        self.ready += 1
        return RevisionList((RevisionStatus(tenant, service, "web-2", desired=len(self.there), ready=self.ready),))

    def restart(self, request: RestartRequest) -> RestartAccepted:
        self.requests.append(request)
        self.marked = [each for each in request.instances if each in self.there]
        return RestartAccepted(tuple(self.marked))


TARGET = Target("shop", "web", "dev")


def test_restart_names_all_instances_and_waits_until_others_are_ready() -> None:
    orchestrator, waits = Restarting("a", "b"), list[float]()
    orchestrator.ready = 0
    asked = choose_instances("restart", orchestrator, TARGET, ())
    gone = orchestrator.restart(RestartRequest("shop", "web", asked)).instances
    wait_for_end("restart", orchestrator, TARGET, gone, 9, lambda: 0.0, waits.append)
    assert (gone, orchestrator.there) == (("a", "b"), ["a-new", "b-new"])
    assert orchestrator.requests == [RestartRequest("shop", "web", ("a", "b"))]
    # Both are gone when it has looked twice, and it goes on until as many are ready.
    assert len(waits) == 2


def test_restart_of_one_instance_leaves_the_others() -> None:
    orchestrator = Restarting("a", "b")
    assert choose_instances("restart", orchestrator, TARGET, ("b",)) == ("b",)
    with pytest.raises(NotFound) as raised:
        choose_instances("drain", orchestrator, TARGET, ("a", "x"))
    assert str(raised.value) == "drain shop/web: x must be one of its instances (a, b)"


def test_restart_that_takes_too_long_ends_with_what_goes_on() -> None:
    orchestrator, times = Restarting("a"), iter([0.0, 5.0, 10.0])
    orchestrator.restart(RestartRequest("shop", "web", ()))
    with pytest.raises(DeadlineError) as raised:
        wait_for_end("restart", orchestrator, TARGET, ("a",), 9, lambda: next(times), lambda _: None)
    assert str(raised.value) == "restart shop/web: not done after 9 s; it goes on, and runyard ps shows how"


def test_restart_says_how_many_and_nothing_of_a_service_that_does_not_run(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = RevisionStatus("shop", "web", "web-2", desired=1, ready=1)
    after = InstanceList((InstanceStatus("shop", "web", "web-2", "101", "ready"),))
    relayed(docker_api, SERVICES, INSTANCES, RestartAccepted(("100", "ff")), after, RevisionList((ready,)))
    assert main(["restart", "web", *BY_TENANT]) == 0
    assert lines(capsys)[0].startswith("shop/web: 2 instances restarted after ")
    assert docker_api.sent[2][1]["instances"] == ["ff", "100"]
    relayed(docker_api, SERVICES, InstanceList(), InstanceList(), RevisionList((CART_1,)))
    assert main(["restart", "web", *BY_TENANT]) == 0
    assert lines(capsys) == ["shop/web: nothing runs, so nothing was restarted"]


# pause, resume, drain

PAUSED = ServiceList((CART, replace(WEB, paused_until_unix_s=60)))


def test_pause_asks_for_its_length_and_says_until_when(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    relayed(docker_api, SERVICES, Pause("shop", "web", 60))
    assert main(["pause", "web", "--for", "30m", *BY_TENANT]) == 0
    assert lines(capsys) == ["shop/web: paused until 1970-01-01 00:01:00Z"]
    assert docker_api.sent[1][1] == {"for_s": 1800, "service": "web", "tenant": "shop", "version": 1}
    assert asked(docker_api)[1] == "PUT /v1/pauses/shop/web"
    relayed(docker_api, SERVICES)
    assert main(["pause", "till", *BY_TENANT]) == 1
    assert "pause shop/till: must be a service of the stack" in capsys.readouterr().err


def test_resume_says_whether_there_was_a_pause(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    relayed(docker_api, PAUSED, OrchestratorStatus(1, True))
    assert main(["resume", "web", *BY_TENANT]) == 0
    relayed(docker_api, SERVICES, OrchestratorStatus(1, True))
    assert main(["resume", "web", *BY_TENANT]) == 0
    assert lines(capsys) == ["shop/web: resumed", "shop/web: was not paused"]
    assert [each for each in asked(docker_api) if each.startswith("DELETE")] == ["DELETE /v1/pauses/shop/web"] * 2


def test_pause_stands_where_somebody_looks_for_it(docker_api: DockerApi, capsys: pytest.CaptureFixture[str]) -> None:
    line = "paused until 1970-01-01 00:01:00Z: its requests are held, and get 503"
    relayed(docker_api, PAUSED, OrchestratorStatus(1, True), InstanceList())
    assert main(["ps"]) == 0
    assert lines(capsys)[-1] == f"shop/web: {line}"
    relayed(docker_api, PAUSED, OrchestratorStatus(1, True), InstanceList())
    assert main(["ps", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["paused"] == {"shop/web": 60}
    relayed(docker_api, PAUSED, RevisionList(), DecisionList())
    assert main(["why", "web", *BY_TENANT]) == 0
    assert lines(capsys) == ["shop/web", f"  {line}"]


def test_drain_takes_those_that_are_named_and_waits_for_others(
    docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = RevisionStatus("shop", "web", "web-2", desired=1, ready=1)
    after = InstanceList((InstanceStatus("shop", "web", "web-2", "101", "ready"),))
    relayed(docker_api, SERVICES, INSTANCES, DrainAccepted(("100",)), after, RevisionList((ready,)))
    assert main(["drain", "web", "100", *BY_TENANT]) == 0
    assert lines(capsys)[0].startswith("shop/web: 1 instance drained and replaced after ")
    assert (asked(docker_api)[2], docker_api.sent[2][1]["instances"]) == ("PUT /v1/drains/shop/web", ["100"])
    relayed(docker_api, SERVICES, INSTANCES)
    assert main(["drain", "web", "99", *BY_TENANT]) == 1
    assert "drain shop/web: 99 must be one of its instances (ff, 100)" in capsys.readouterr().err
    relayed(docker_api, SERVICES, InstanceList(), InstanceList(), RevisionList((CART_1,)))
    assert main(["drain", "web", "-o", "json", *BY_TENANT]) == 0
    assert json.loads(capsys.readouterr().out)["drained"] == []
