"""Snapshots: what is taken, what is refused, and what outlives a restart."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from runyard.contracts import Fallback, GatewayPath, GatewaySnapshot, Handling, decode, encode
from runyard.gateway import digest
from tests.harness.waiting import until
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service

GOOD: dict[str, Any] = {
    "generation": 7,
    "services": {"default/hello": {"traffic": [{"revision": "hello-1", "percent": 100}], "uses": ["cart"]}},
    "hosts": {"hello.localhost": "default/hello"},
    "endpoints": {"default/hello-1": {"addresses": ["10.0.0.1:80", "[fd00::1]:80"]}},
    "callers": {"10.0.0.1": "default/hello", "fd00::1": "default/hello"},
    "paths": {"*.localhost": [{"path": "/api", "service": "default/hello", "rewrite": "/"}]},
}


def changed(path: str, value: Any) -> str:
    """Give the good snapshot as JSON with the field at this path set."""
    snapshot = json.loads(json.dumps(GOOD))
    *parents, last = path.split("|")
    target = snapshot
    for each in parents:
        target = target[int(each) if isinstance(target, list) else each]
    target[last] = value
    return json.dumps(snapshot)


def test_good_snapshot_is_counted(gateway: Gateway) -> None:
    answer = gateway.admin("PUT", "/v1/snapshot", json.dumps(GOOD))
    assert (answer.status, answer.json()) == (200, {"generation": 7})
    gateway.keep()
    counts = {"generation": 7, "hosts": 1, "services": 1, "endpoints": 1, "callers": 2, "paths": 1, "kept": 7}
    assert gateway.admin("GET", "/v1/snapshot").json() == counts


def test_everything_that_the_contract_allows_is_taken(gateway: Gateway) -> None:
    snapshot = GatewaySnapshot(
        1,
        {"a/b": service(("b-1", 0, "tag"), ("b-2", 100), uses=("c",), ingress="internal-and-cloud-load-balancing")},
        {"b.a.localhost": "a/b"},
        {"a/b-2": endpoints(1, 65535, concurrency=0)},
        {"10.1.2.3": "a/b"},
    )
    assert gateway.admin("PUT", "/v1/snapshot", encode(snapshot)).status == 200
    assert gateway.admin("PUT", "/v1/snapshot", encode(GatewaySnapshot(2))).status == 200
    assert gateway.admin("GET", "/v1/snapshot").json()["services"] == 0


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", "not JSON: "),
        ("{", "not JSON: "),
        ("[1]", "snapshot: unknown field"),
        ("7", "snapshot: must be an object, got 7"),
        ("{}", "snapshot: field generation is missing"),
        (changed("generation", -1), "snapshot.generation: must be a whole number"),
        (changed("generation", 1.5), "snapshot.generation: must be a whole number"),
        (changed("generation", "8"), "snapshot.generation: must be a whole number"),
        (changed("generation", True), "snapshot.generation: must be a whole number"),
        (changed("generation", 1e308), "snapshot.generation: must be a whole number"),
        (changed("generation", float("nan")), "not JSON: "),
        ('{"generation": 0x10}', "not JSON: "),
        ('{"generation": 08}', "not JSON: "),
        ('{"generation": 2}\x00', "not JSON: "),
        ('{"generation": 2}\x00{', "not JSON: "),
        (changed("version", 2), "snapshot.version: must be a whole number from 1 to 1, got 2"),
        (changed("surprise", 1), 'snapshot: unknown field "surprise"'),
        (changed("hosts", None), "snapshot.hosts: must be an object"),
        (changed("hosts|a b", "default/hello"), "snapshot.hosts: must be a DNS label"),
        (changed("hosts|a..b", "default/hello"), "snapshot.hosts: must be a DNS label"),
        (changed('hosts|a"b', "default/hello"), "snapshot.hosts: must be a DNS label"),
        (changed("hosts|hello.localhost", "hello"), "snapshot.hosts.hello.localhost: must be tenant/name"),
        (changed("hosts|hello.localhost", "a/b/c"), "snapshot.hosts.hello.localhost: must be tenant/name"),
        (changed("services|default/hello|ingress", "some"), "snapshot.services.default/hello.ingress: must be one of"),
        (
            changed("services|default/hello|stopped", 1),
            "snapshot.services.default/hello.stopped: must be true or false",
        ),
        (changed("services|default/hello|timeout_s", 0), "snapshot.services.default/hello.timeout_s: must be a whole"),
        (changed("services|default/hello|uses", {"a": 1}), "snapshot.services.default/hello.uses: must be a list"),
        (changed("services|default/hello|uses", ["a\r\nb"]), "snapshot.services.default/hello.uses[0]: must be a DNS"),
        (changed("services|default/hello|traffic|0|percent", 101), "traffic[0].percent: must be a whole number"),
        (changed("services|default/hello|traffic|0|revision", 5), "traffic[0].revision: must be a DNS label, got 5"),
        (changed("endpoints|default/hello-1|addresses", ["10.0.0.1"]), "addresses[0]: must be address:port"),
        (changed("endpoints|default/hello-1|addresses", ["10.0.0.1:0"]), "addresses[0]: must be address:port"),
        (changed("endpoints|default/hello-1|addresses", ["evil.example:80"]), "addresses[0]: must be an IP address"),
        (changed("endpoints|default/hello-1|protocol", "h3"), "protocol: must be one of http1, h2c"),
        (changed("hosts|*.*.localhost", "default/hello"), "snapshot.hosts: must be a DNS label"),
        (changed("hosts|a.*.localhost", "default/hello"), "snapshot.hosts: must be a DNS label"),
        (changed("hosts|**", "default/hello"), "snapshot.hosts: must be a DNS label"),
        (changed("paths|a_b", []), "snapshot.paths: must be a DNS label"),
        (changed("paths|*.localhost|0|service", "hello"), "snapshot.paths.*.localhost[0].service: must be tenant/name"),
        (changed("services|default/hello|handling", {"idle_s": -1}), "handling.idle_s: must be a whole number"),
        (changed("services|default/hello|handling", {"request_buffering": 0}), "request_buffering: must be true or"),
        (changed("services|default/hello|fallback", {"page": "a\x1b"}), "fallback.page: must be text of at most 8192"),
        (changed("services|default/hello|fallback", {"service": "a/b"}), "fallback.service: must be a DNS label"),
        (changed("services|default/hello|limits", {"client_burst": -1}), "limits.client_burst: must be a whole number"),
        (changed("services|default/hello|limits", {"client_header": "a;b"}), "client_header: must be a header's name"),
        (changed("callers|evil", "default/hello"), "snapshot.callers: must be an IP address"),
    ],
)
def test_garbage_is_400_and_changes_nothing(gateway: Gateway, instance: Instance, body: str, detail: str) -> None:
    gateway.serve(instance.port)
    answer = gateway.admin("PUT", "/v1/snapshot", body)
    assert (answer.status, answer.kind, answer.json()["generation"]) == (400, "shape", 1)
    assert detail in answer.json()["detail"]
    assert gateway.request().status == 200
    assert gateway.admin("GET", "/v1/snapshot").json()["generation"] == 1


# Found by the fuzzer: such a page was served as it came, and an answer that told of such a name was no JSON.
@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_text_that_is_no_utf_8_is_400(gateway: Gateway, text: bytes) -> None:
    page = changed("services|default/hello|fallback", {"page": "PLACE"}).encode()
    for body in (page.replace(b"PLACE", text), b'{"generation": 2, "hosts": {"' + text + b'": "a/b"}}'):
        answer = gateway.admin("PUT", "/v1/snapshot", body)
        assert (answer.status, answer.kind) == (400, "shape")
        assert answer.json()["detail"] == "not JSON: must be UTF-8 without NUL"
    assert gateway.admin("PUT", "/v1/snapshot", page.replace(b"PLACE", "é😀".encode())).status == 200


HOSTILE_PATHS = [
    "api", "", "//", "/a//b", "/a/", "/..", "/a/../b", "/./a", "/a?b", "/a#b", "/a b", "/a\nb", "/a\x00", "/$host",
    "/%2e%2e", "/a;b", '/"', "/\\evil", "/é", "/{a}", "http://evil/", "/" + "a" * 256,
]  # fmt: skip


@pytest.mark.parametrize("field", ["path", "rewrite"])
def test_hostile_path_is_400(gateway: Gateway, field: str) -> None:
    for value in HOSTILE_PATHS:
        if field == "rewrite" and not value:
            continue  # empty: nothing is rewritten
        answer = gateway.admin("PUT", "/v1/snapshot", changed(f"paths|*.localhost|0|{field}", value))
        assert answer.status == 400, value
        assert answer.json()["detail"].startswith(f"snapshot.paths.*.localhost[0].{field}: must be a path, got "), value


def test_older_generation_is_409_and_told_the_current_one(gateway: Gateway) -> None:
    gateway.admin("PUT", "/v1/snapshot", json.dumps(GOOD))
    for generation in (6, 7):
        other = {**GOOD, "generation": generation, "hosts": {}}
        answer = gateway.admin("PUT", "/v1/snapshot", json.dumps(other))
        assert (answer.status, answer.kind, answer.json()["generation"]) == (409, "generation", 7)
    assert gateway.admin("GET", "/v1/snapshot").json()["hosts"] == 1


def test_same_snapshot_again_is_taken_for_the_same(gateway: Gateway) -> None:
    for _ in range(2):
        answer = gateway.admin("PUT", "/v1/snapshot", json.dumps(GOOD))
        assert (answer.status, answer.json()) == (200, {"generation": 7})


def test_large_snapshot_is_taken_whole(gateway: Gateway, instance: Instance) -> None:
    keys = [f"default/s{number}" for number in range(1000)]
    gateway.push(
        services={key: service((key[8:] + "-1", 100)) for key in keys},
        hosts={key[8:] + ".localhost": key for key in keys},
        endpoints={key + "-1": endpoints(instance.port) for key in keys},
    )
    assert gateway.admin("GET", "/v1/snapshot").json()["services"] == 1000
    assert gateway.request(host="s999.localhost").status == 200


def test_other_methods_and_paths_are_refused(gateway: Gateway) -> None:
    assert gateway.admin("DELETE", "/v1/snapshot").status == 405
    assert gateway.admin("GET", "/v2").status == 404


def test_admin_socket_tells_health(gateway: Gateway) -> None:
    assert gateway.admin("GET", "/healthz").json() == {
        "status": "ok",
        "generation": 0,
        "configuration": digest(gateway.config),
    }


@pytest.mark.parametrize("kill", [False, True])
def test_restarted_gateway_serves_at_once(gateway: Gateway, instance: Instance, kill: bool) -> None:
    gateway.serve(instance.port)
    gateway.keep()
    gateway.stop(kill=kill)
    gateway.start()
    assert gateway.request().json()["name"] == "one"
    assert gateway.admin("GET", "/v1/snapshot").json()["generation"] == gateway.snapshot.generation
    gateway.push(hosts={})


def test_corrupt_state_starts_empty_and_says_so(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    gateway.keep()
    gateway.stop()
    gateway.state.write_bytes(gateway.state.read_bytes()[:-20])
    gateway.start()
    health = gateway.admin("GET", "/healthz").json()
    assert (health["status"], health["generation"]) == ("degraded", 0)
    assert health["detail"].startswith(f"restore {gateway.state}: not JSON: ")
    gateway.push()
    gateway.keep()
    assert gateway.admin("GET", "/healthz").json() == {
        "status": "ok",
        "generation": 2,
        "configuration": digest(gateway.config),
    }


def test_snapshot_that_cannot_be_kept_is_in_force_and_reported(gateway: Gateway, instance: Instance) -> None:
    # A directory in the way stops root too, whom no permission stops.
    blocked = gateway.state.with_name("snapshot.json.new")
    blocked.mkdir()
    gateway.serve(instance.port)
    until(lambda: gateway.admin("GET", "/healthz").json()["status"] == "degraded", "the trouble is told")
    told = gateway.admin("GET", "/v1/snapshot").json()
    assert (told["generation"], told["kept"]) == (1, 0)
    assert told["warning"] == f"open {gateway.state}.new: Is a directory"
    assert gateway.request().status == 200
    blocked.rmdir()
    gateway.push(hosts={})
    gateway.keep()
    assert gateway.admin("GET", "/healthz").json()["status"] == "ok"


def test_kept_file_is_the_snapshot_that_was_pushed(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(
        instance.port,
        handling=Handling(max_response_bytes=2**53 - 1, request_buffering=False),
        fallback=Fallback(page='<p class="é">\n/\\</p>'),
    )
    gateway.push(
        paths={"a.localhost": (GatewayPath("/api", "default/hello", "/"),)},
        callers={"fd00::1": "default/hello"},
    )
    gateway.keep()
    assert decode(GatewaySnapshot, gateway.state.read_text()) == gateway.snapshot
    assert sorted(each.name for each in gateway.state.parent.iterdir()) == ["affinity.key", "snapshot.json"]


def test_nothing_waits_for_the_disk(start_gateway: MakeGateway, instance: Instance) -> None:
    # One worker, so that it is the one that keeps. Opening a pipe to write waits for somebody who reads.
    gateway = start_gateway(workers=1)
    pipe = gateway.state.with_name("snapshot.json.new")
    os.mkfifo(pipe)
    for _ in range(20):
        gateway.serve(instance.port)
        assert gateway.request().status == 200
        assert gateway.kept() == 0
    with pipe.open("rb") as reading:
        assert decode(GatewaySnapshot, reading.read()).generation == 1
    pipe.unlink()
    gateway.push()
    gateway.keep()
    assert decode(GatewaySnapshot, gateway.state.read_text()) == gateway.snapshot


def test_one_worker_and_many_agree_on_the_snapshot(start_gateway: MakeGateway, instance: Instance) -> None:
    gateway = start_gateway(workers=4)
    for generation in range(1, 20):
        gateway.push(
            services={"default/hello": service(("hello-1", 100))},
            hosts={f"h{generation}.localhost": "default/hello"},
            endpoints={"default/hello-1": endpoints(instance.port)},
        )
        assert gateway.request(host=f"h{generation}.localhost").status == 200
        assert gateway.request(host=f"h{generation - 1}.localhost").status == 404
