"""Holding, retrying and counting: what happens when instances are full, late, gone or break."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from http.client import IncompleteRead
from typing import Any

import pytest

from runyard.contracts import Handling
from tests.harness.ports import free_ports
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, assert_lasted, endpoints, service, settled


def test_request_is_held_until_there_is_an_instance(gateway: Gateway, instance: Instance, in_background: Any) -> None:
    gateway.serve()
    answers = [in_background(gateway.request, method, body=b"x") for method in ("GET", "POST", "POST")]
    # A request on another path proves that the held ones have come in, and that they hold up nobody.
    assert gateway.request(host="nobody.localhost").status == 404
    gateway.serve(instance.port)
    assert [(each.result().status, each.result().json()["body"]) for each in answers] == [(200, "x")] * 3
    settled(gateway)


@pytest.mark.parametrize("traffic", [[("hello-1", 100)], []])
def test_request_that_nobody_can_answer_is_503_after_the_hold(start_gateway: MakeGateway, traffic: Any) -> None:
    gateway = start_gateway(hold_timeout_ms=200)
    gateway.push(services={"default/hello": service(*traffic)}, hosts={"hello.localhost": "default/hello"})
    began = time.monotonic()
    answer = gateway.request("POST", body=b"x")
    assert_lasted(time.monotonic() - began, 0.2)
    assert (answer.status, answer.kind, answer.headers["Retry-After"]) == (503, "no-instance", "1")


def test_held_request_follows_the_traffic(gateway: Gateway, instance: Instance, in_background: Any) -> None:
    gateway.serve()
    answer = in_background(gateway.request)
    assert gateway.request(host="nobody.localhost").status == 404
    gateway.push(
        services={"default/hello": service(("hello-2", 100))}, endpoints={"default/hello-2": endpoints(instance.port)}
    )
    assert answer.result().status == 200


def test_killed_instance_loses_no_get_when_another_is_there(gateway: Gateway, make_instance: MakeInstance) -> None:
    doomed, other = make_instance("doomed"), make_instance("other")
    gateway.serve(doomed.port, other.port)
    statuses: Counter[int] = Counter()
    with gateway.connect() as connection:
        for number in range(400):
            if number == 100:
                doomed.kill()
            connection.request("GET", "/", headers={"Host": "hello.localhost"})
            response = connection.getresponse()
            response.read()
            statuses[response.status] += 1
    assert statuses == {200: 400}
    settled(gateway)


def test_killing_the_only_instance_under_load_loses_no_get(
    gateway: Gateway, make_instance: MakeInstance, in_background: Any
) -> None:
    doomed = make_instance("doomed")
    gateway.serve(doomed.port)
    stop = threading.Event()

    def load() -> Any:
        statuses: Counter[int] = Counter()
        with gateway.connect() as connection:
            while not stop.is_set():
                connection.request("GET", "/", headers={"Host": "hello.localhost"})
                response = connection.getresponse()
                response.read()
                statuses[response.status] += 1
        return statuses

    loads = [in_background(load) for _ in range(8)]
    until(lambda: len(doomed.seen) > 200, "the load is on")
    doomed.kill()
    replacement = make_instance("replacement")
    gateway.serve(replacement.port)
    until(lambda: len(replacement.seen) > 200, "the load is on the replacement")
    stop.set()
    total: Counter[int] = sum((each.result() for each in loads), Counter())
    assert set(total) == {200}, gateway.errors()[-2000:]
    settled(gateway)


def test_get_in_flight_on_a_killed_instance_is_answered_by_another(
    gateway: Gateway, make_instance: MakeInstance, in_background: Any
) -> None:
    doomed = make_instance("doomed")
    gateway.serve(doomed.port)
    answers = [
        in_background(gateway.request, method, "/wait") for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
    ]
    until(lambda: doomed.waiting == 5, "five requests wait")
    other = make_instance("other")
    other.release()
    gateway.serve(doomed.port, other.port)
    doomed.kill()
    assert [each.result().status for each in answers] == [200] * 5
    assert {path for _, path in other.seen} == {"/wait"}
    settled(gateway)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE"])
def test_request_that_may_have_been_carried_out_is_not_sent_again(
    gateway: Gateway, make_instance: MakeInstance, in_background: Any, method: str
) -> None:
    doomed, other = make_instance("doomed"), make_instance("other")
    gateway.serve(doomed.port)
    answer = in_background(gateway.request, method, "/wait", body=b"pay")
    until(lambda: doomed.waiting == 1, "the request waits")
    gateway.serve(doomed.port, other.port)
    doomed.kill()
    assert (answer.result().status, answer.result().kind) == (502, "instance-failed")
    assert other.seen == []
    settled(gateway)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE"])
def test_request_that_broke_an_instance_is_not_sent_to_the_next(
    gateway: Gateway, make_instance: MakeInstance, method: str
) -> None:
    instances = [make_instance(), make_instance()]
    gateway.serve(*(each.port for each in instances))
    with gateway.connect() as connection:
        # The second request goes over kept connections, with which nginx is more generous.
        for path, status in (("/", 200), ("/", 200), ("/break", 502)):
            connection.request(method, path, b"pay", {"Host": "hello.localhost"})
            response = connection.getresponse()
            response.read()
            assert response.status == status
    assert sum(path == "/break" for each in instances for _, path in each.seen) == 1
    settled(gateway)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PURGE"])
def test_request_that_was_not_sent_goes_to_another_instance(gateway: Gateway, instance: Instance, method: str) -> None:
    gateway.serve(*free_ports(1), instance.port)
    answers = [gateway.request(method, "/", body=b"pay") for _ in range(10)]
    assert [each.status for each in answers] == [200] * 10
    assert len(instance.seen) == 10
    settled(gateway)


def test_unsent_post_is_held_until_its_only_instance_is_replaced(
    gateway: Gateway, instance: Instance, in_background: Any
) -> None:
    gateway.serve(*free_ports(1))
    answer = in_background(gateway.request, "POST", "/", body=b"pay")
    until(lambda: "Connection refused" in gateway.errors(), "the first try has failed")
    gateway.serve(instance.port)
    assert answer.result().json()["body"] == "pay"
    assert instance.seen == [("POST", "/")]


def test_request_that_breaks_every_instance_ends(start_gateway: MakeGateway, instance: Instance) -> None:
    gateway = start_gateway(hold_timeout_ms=500)
    gateway.serve(instance.port)
    answer = gateway.request("GET", "/break")
    assert answer.status in (502, 503)
    assert len(instance.seen) < 30
    settled(gateway)
    assert gateway.request().status == 200


# The larger one does not fit into the gateway's buffers.
@pytest.mark.parametrize("size", [1000, 10_000_000])
@pytest.mark.parametrize("told", ["size", "chunks"])
@pytest.mark.parametrize("cached", [False, True])
def test_response_that_breaks_off_is_a_failure_and_never_kept(
    gateway: Gateway, instance: Instance, size: int, told: str, cached: bool
) -> None:
    gateway.serve(instance.port, handling=Handling(cache=cached))
    for asked in (1, 2):
        with gateway.connect() as connection:
            connection.request("GET", f"/cut-{told}={size}", headers={"Host": "hello.localhost"})
            with pytest.raises((IncompleteRead, ConnectionResetError)):
                connection.getresponse().read()
        assert len(instance.seen) == asked
    settled(gateway)


def test_slow_instance_is_504_and_not_asked_twice(gateway: Gateway, make_instance: MakeInstance) -> None:
    instances = [make_instance(), make_instance()]
    gateway.serve(*(each.port for each in instances), timeout_s=1)
    answer = gateway.request("GET", "/wait")
    assert (answer.status, answer.kind) == (504, "instance-timeout")
    # The gateway may have asked it with a ping whether it hangs.
    assert sum(each.seen.count(("GET", "/wait")) for each in instances) == 1
    settled(gateway)


def test_concurrency_of_an_instance_is_never_passed(gateway: Gateway, instance: Instance, in_background: Any) -> None:
    gateway.serve(instance.port, concurrency=3)
    answers = [in_background(gateway.request, "POST", "/wait", body=b"x") for _ in range(12)]
    until(lambda: instance.waiting == 3, "the instance is full")
    # Each of these would be the fourth; the gateway must have looked at them before it answers the last one.
    assert gateway.request(host="nobody.localhost").status == 404
    assert (instance.waiting, gateway.inflight()) == (3, {f"127.0.0.1:{instance.port}": 3})
    instance.release()
    assert [each.result().status for each in answers] == [200] * 12
    assert instance.peak == 3
    settled(gateway)


def test_request_to_a_service_without_instances_on_purpose_is_503_at_once(gateway: Gateway) -> None:
    gateway.serve(stopped=True)
    answer = gateway.request()
    assert (answer.status, answer.kind, answer.headers["Retry-After"]) == (503, "stopped", "1")
    assert gateway.requests(1)[0]["duration_s"] < gateway.config.hold_timeout_ms / 1000 / 2


def test_request_that_finds_every_instance_full_is_503_after_the_hold(
    start_gateway: MakeGateway, instance: Instance, in_background: Any
) -> None:
    gateway = start_gateway(hold_timeout_ms=200)
    gateway.serve(instance.port, concurrency=1)
    first = in_background(gateway.request, "GET", "/wait")
    until(lambda: instance.waiting == 1, "the instance is full")
    answer = gateway.request()
    assert (answer.status, answer.kind, answer.headers["Retry-After"]) == (503, "all-busy", "1")
    instance.release()
    assert first.result().status == 200
    settled(gateway)


def test_full_instance_is_passed_over_for_a_free_one(
    gateway: Gateway, make_instance: MakeInstance, in_background: Any
) -> None:
    instances = [make_instance(name) for name in "abc"]
    gateway.serve(*(each.port for each in instances), concurrency=1)
    answers = [in_background(gateway.request, "GET", "/wait") for _ in range(3)]
    until(lambda: [each.waiting for each in instances] == [1, 1, 1], "each instance has one")
    for each in instances:
        each.release()
    assert [each.result().status for each in answers] == [200] * 3


def test_client_that_goes_away_leaves_no_count(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
            client.sendall(b"GET /wait HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
            until(lambda: instance.waiting > 0, "the instance has the request")
    settled(gateway)


def test_client_that_goes_away_while_held_leaves_no_count(gateway: Gateway, instance: Instance) -> None:
    gateway.serve()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
    gateway.serve(instance.port)
    assert gateway.request().status == 200
    settled(gateway)


def test_slow_upload_occupies_no_instance(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, concurrency=1)
    with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 10\r\n\r\nabc")
        assert gateway.request().status == 200
        settled(gateway)


def test_counts_of_gone_instances_are_forgotten(gateway: Gateway, make_instance: MakeInstance) -> None:
    for _ in range(3):
        gateway.serve(make_instance().port)
        assert gateway.request().status == 200
    settled(gateway)
    gateway.serve()
    assert gateway.admin("GET", "/v1/inflight").json() == {"inflight": {}}


def test_endpoint_changes_under_load_lose_no_request(
    gateway: Gateway, make_instance: MakeInstance, in_background: Any
) -> None:
    instances = [make_instance(name) for name in "ab"]
    gateway.serve(instances[0].port)
    stop = threading.Event()

    def load(method: str) -> Any:
        statuses: Counter[int] = Counter()
        with gateway.connect() as connection:
            while not stop.is_set():
                connection.request(method, "/", b"x" * 1000 if method == "POST" else None, {"Host": "hello.localhost"})
                response = connection.getresponse()
                response.read()
                statuses[response.status] += 1
        return statuses

    loads = [in_background(load, method) for method in ("GET", "POST") * 3]
    for number in range(18):
        before = len(instances[0].seen) + len(instances[1].seen)
        ports = [] if number % 6 == 5 else [instances[number % 2].port]
        gateway.serve(*ports)
        if ports:
            until(lambda before=before: len(instances[0].seen) + len(instances[1].seen) > before + 20, "it goes on")
    gateway.serve(instances[0].port)
    stop.set()
    total: Counter[int] = sum((each.result() for each in loads), Counter())
    assert set(total) == {200}
    settled(gateway)
