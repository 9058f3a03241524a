"""Calls of the engine: each one of its API is tried, and those alone pass that the orchestrator needs."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from runyard import names
from tests.unit.services.filter.program import STACK, Filter, id_of
from tests.unit.services.orchestrator.world import IMAGE, document

# Every call of Docker's API 1.41 (moby, docs/api/v1.41.yaml), as its specification names them, and below what the
# engine answers beside that. The orchestrator may make those with a sign before them.
CALLS = """
+ GET /containers/json
+ POST /containers/create
+ GET /containers/{id}/json
- GET /containers/{id}/top
+ GET /containers/{id}/logs
- GET /containers/{id}/changes
- GET /containers/{id}/export
- GET /containers/{id}/stats
- POST /containers/{id}/resize
+ POST /containers/{id}/start
+ POST /containers/{id}/stop
- POST /containers/{id}/restart
+ POST /containers/{id}/kill
+ POST /containers/{id}/update
- POST /containers/{id}/rename
+ POST /containers/{id}/pause
+ POST /containers/{id}/unpause
+ POST /containers/{id}/attach
- GET /containers/{id}/attach/ws
+ POST /containers/{id}/wait
+ DELETE /containers/{id}
- HEAD /containers/{id}/archive
- GET /containers/{id}/archive
- PUT /containers/{id}/archive
- POST /containers/prune
- GET /images/json
- POST /build
- POST /build/prune
+ POST /images/create
+ GET /images/{name}/json
- GET /images/{name}/history
- POST /images/{name}/push
- POST /images/{name}/tag
- DELETE /images/{name}
- GET /images/search
- POST /images/prune
- POST /auth
- GET /info
+ GET /version
+ GET /_ping
- HEAD /_ping
- POST /commit
+ GET /events
- GET /system/df
- GET /images/{name}/get
- GET /images/get
- POST /images/load
+ POST /containers/{id}/exec
+ POST /exec/{id}/start
- POST /exec/{id}/resize
+ GET /exec/{id}/json
- GET /volumes
+ POST /volumes/create
+ GET /volumes/{name}
+ DELETE /volumes/{name}
- POST /volumes/prune
- GET /networks
+ GET /networks/{id}
- DELETE /networks/{id}
- POST /networks/create
- POST /networks/{id}/connect
- POST /networks/{id}/disconnect
- POST /networks/prune
- GET /plugins
- GET /plugins/privileges
- POST /plugins/pull
- GET /plugins/{name}/json
- DELETE /plugins/{name}
- POST /plugins/{name}/enable
- POST /plugins/{name}/disable
- POST /plugins/{name}/upgrade
- POST /plugins/create
- POST /plugins/{name}/push
- POST /plugins/{name}/set
- GET /nodes
- GET /nodes/{id}
- DELETE /nodes/{id}
- POST /nodes/{id}/update
- GET /swarm
- POST /swarm/init
- POST /swarm/join
- POST /swarm/leave
- POST /swarm/update
- GET /swarm/unlockkey
- POST /swarm/unlock
- GET /services
- POST /services/create
- GET /services/{id}
- DELETE /services/{id}
- POST /services/{id}/update
- GET /services/{id}/logs
- GET /tasks
- GET /tasks/{id}
- GET /tasks/{id}/logs
- GET /secrets
- POST /secrets/create
- GET /secrets/{id}
- DELETE /secrets/{id}
- POST /secrets/{id}/update
- GET /configs
- POST /configs/create
- GET /configs/{id}
- DELETE /configs/{id}
- POST /configs/{id}/update
- GET /distribution/{name}/json
- POST /session

- POST /grpc
- POST /containers/{id}/copy
- GET /containers/{id}/checkpoints
- POST /containers/{id}/checkpoints
- DELETE /containers/{id}/checkpoints/{name}
- PUT /volumes/{name}
- GET /debug/vars
- GET /debug/pprof/
- POST /images/{name}/json
- PATCH /containers/{id}
"""
TABLE = [(sign == "+", method, path) for sign, method, path in map(str.split, filter(None, CALLS.splitlines()))]
OF_STACK = json.dumps({"label": [f"{names.STACK}={STACK}"]})
WATCHED = json.dumps({"type": ["container"], "label": [f"{names.STACK}={STACK}"]})


def filled(path: str) -> str:
    return path.replace("{id}", id_of(7)).replace("{name}", "some")


def test_specification_has_as_many_calls_as_this_table() -> None:
    described, more = CALLS.split("\n\n")
    assert (len(described.split("\n")) - 1, len(more.splitlines())) == (106, 10)
    assert len({(method, path) for _, method, path in TABLE}) == len(TABLE)
    assert sum(allowed for allowed, _, _ in TABLE) == 25


def test_every_call_that_is_not_needed_is_refused_and_the_engine_hears_nothing_of_it(filter: Filter) -> None:
    filter.api.asked.clear()
    for allowed, method, path in TABLE:
        if allowed:
            continue
        for version in ("", "/v1.41", "/v1.47"):
            answer = filter.raw(method, version + filled(path), b"{}")
            assert answer.status == 403, (method, path)
            if method != "HEAD":
                wanted = f'filter: the orchestrator may not call {method} "{filled(path)}"'
                assert answer.message == wanted
    assert filter.api.asked == []


def test_every_call_that_is_needed_is_known(filter: Filter) -> None:
    for allowed, method, path in TABLE:
        if allowed:
            answer = filter.ask(method, filled(path), {})
            # Refused for what it says and whom it is for, if at all, and not for what it is.
            assert "may not call" not in answer.text, (method, path)


@pytest.mark.parametrize("version", ["/v1.24", "/v1.40", "/v1.99999", "/v2.0", "/v1.41/v1.24", "/V1.41"])
def test_other_versions_of_the_api_are_refused(filter: Filter, version: str) -> None:
    filter.api.asked.clear()
    assert filter.raw("GET", f"{version}/version").status == 403
    assert filter.api.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/containers/../images/json",
        "//version",
        "/version/",
        "/containers/%2e%2e/json",
        "/containers/a%2Fb/json",
        "/containers/a%00b/json",
        "/containers/json%0a",
        f"/exec/{id_of(1)}x/json",
        "/networks/a/b",
    ],
)
def test_path_that_two_readers_could_take_for_different_ones_is_refused(filter: Filter, path: str) -> None:
    filter.api.asked.clear()
    assert filter.raw("GET", f"/v1.41{path}").status == 403
    assert filter.api.asked == []


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/version?x=1", 'query must not say "x", got ["1"]'),
        ("GET", "/version?a;b", 'query must be well-formed, got "a;b"'),
        ("POST", f"/containers/{id_of(7)}/start?checkpoint=x", 'query must not say "checkpoint", got ["x"]'),
        (
            "POST",
            f"/containers/{id_of(7)}/kill?signal=KILL&signal=TERM",
            'query must say signal once, got ["KILL","TERM"]',
        ),
        ("POST", f"/containers/{id_of(7)}/kill?signal=HUP", 'query must say signal as ^KILL$, got "HUP"'),
        ("DELETE", f"/containers/{id_of(7)}?link=1", 'query must not say "link", got ["1"]'),
        ("DELETE", "/volumes/a?force=1", 'query must say force as ^(?i:false|0)$, got "1"'),
        ("GET", f"/containers/{id_of(7)}/logs?stdout=1&follow=1", 'query must say follow as ^(?i:false|0)$, got "1"'),
        (
            "POST",
            f"/containers/{id_of(7)}/attach?stdin=1&stdout=1",
            'query must say stdout as ^(?i:false|0)$, got "1"',
        ),
        ("POST", f"/containers/{id_of(7)}/wait?condition=removed", 'query must not say "condition", got ["removed"]'),
        ("POST", "/containers/create?name=x&platform=y", 'query must not say "platform", got ["y"]'),
    ],
)
def test_query_may_say_what_the_orchestrator_says_and_no_more(
    filter: Filter, method: str, path: str, message: str
) -> None:
    filter.api.asked.clear()
    answer = filter.ask(method, path)
    assert (answer.status, answer.message) == (403, f"filter: {message}")
    assert filter.api.asked == []


def test_refusal_is_told_in_the_log_with_its_reason_and_without_control_characters(filter: Filter) -> None:
    assert filter.raw("POST", "/v1.41/commit%1b[2J?x=1").status == 403
    (line,) = (each for each in filter.log() if each["event"] == "refused")
    assert (line["method"], line["path"]) == ("POST", '"/v1.41/commit\\u001b[2J"')
    assert line["reason"] == 'filter: the orchestrator may not call POST "/commit\\u001b[2J"'


def test_lists_are_of_the_stack_alone(filter: Filter) -> None:
    filter.api.answers["GET /containers/json"] = [{"Id": id_of(1)}]
    for told in (OF_STACK, json.dumps({"volume": [f"runyard.{STACK}.volume.default.data"]})):
        assert filter.ask("GET", f"/containers/json?all=True&filters={quote(told)}").status == 200
    for told in (
        "",
        "{}",
        "[]",
        "not json",
        '{"label":["runyard.dev/stack"]}',
        '{"label":["runyard.dev/stack=other"]}',
        '{"label":{"runyard.dev/stack=test":true}}',
        '{"volume":["runyard.other.gateway"]}',
        '{"volume":["runyard.test.gateway","of.another"]}',
        '{"volume":["/"]}',
    ):
        answer = filter.ask("GET", f"/containers/json?all=True&filters={quote(told)}")
        assert (answer.status, answer.message.partition(" must ")[0]) == (403, "filter: filters"), told


def test_events_are_of_the_stacks_containers_and_of_who_joins_a_network(filter: Filter) -> None:
    filter.api.answers["GET /events"] = {}
    joining = json.dumps({"type": ["network"], "event": ["connect", "disconnect"]})
    for told in (WATCHED, joining):
        assert filter.ask("GET", f"/events?stream=True&filters={quote(told)}").status == 200
    (written,) = parse_qs(urlsplit(filter.api.targets[-1].partition(" ")[2]).query)["filters"]
    assert json.loads(written) == json.loads(joining)
    for told in (
        "{}",
        OF_STACK,
        '{"type":["container"]}',
        '{"type":["container","image"],"label":["runyard.dev/stack=test"]}',
        '{"type":["network"]}',
        '{"type":["network"],"event":["create"]}',
        '{"type":["secret"],"event":["connect"]}',
    ):
        assert filter.ask("GET", f"/events?stream=True&filters={quote(told)}").status == 403, told


def test_images_are_those_of_documents_by_id_name_or_digest(filter: Filter) -> None:
    digest = "sha256:" + "d" * 64
    filter.hold(document(images={"app": {"id": IMAGE, "digest": digest}}))
    filter.api.answers |= {"GET /images/hello:1/json": {"Id": IMAGE}, "POST /images/create": {}}
    assert filter.ask("GET", f"/images/{IMAGE}/json").status == 200
    assert filter.ask("GET", "/images/hello:1/json").status == 200
    assert filter.ask("POST", f"/images/create?fromImage=hello@{digest}").status == 200
    assert filter.asked() == ["POST /images/create"]
    for reference in ("other:1", "hello", f"hello@{digest}", "sha256:" + "e" * 64, "hello:1/../x"):
        assert filter.ask("GET", f"/images/{reference}/json").status == 403, reference
    for reference in ("hello:1", "hello", f"other@{digest}", "hello@sha256:" + "e" * 64, ""):
        answer = filter.ask("POST", f"/images/create?fromImage={reference}")
        wanted = f'filter: image must be one of a signed document, by its digest, got "{reference}"'
        assert (answer.status, answer.message) == (403, wanted)
    assert filter.asked() == ["POST /images/create"]


def test_networks_and_volumes_are_those_of_the_stack(filter: Filter) -> None:
    filter.api.answers |= {
        "GET /networks/runyard.test.tenant.default": {"Name": "n"},
        "GET /volumes/runyard.test.launcher": {"Name": "v"},
    }
    assert filter.ask("GET", "/networks/runyard.test.tenant.default").text == '{"Name": "n"}'
    assert filter.ask("GET", "/volumes/runyard.test.launcher").text == '{"Name": "v"}'
    for path in ("/networks/host", "/networks/runyard.tester.platform", "/volumes/data", "/volumes/runyard.other.x"):
        name = path.rpartition("/")[2]
        answer = filter.ask("GET", path)
        kind = path.split("/")[1].removesuffix("s")
        assert (answer.status, answer.message) == (404, f'No such {kind}: "{name}" is none of this stack\'s')
