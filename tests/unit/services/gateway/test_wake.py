"""Wake: requests for revisions without instances are held, name what they want, and go on as soon as there is one."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import Handling, Limits
from runyard.gateway import Listener
from tests.harness.ports import free_ports
from tests.harness.waiting import PATIENCE_S, until, wait_until
from tests.unit.services.gateway.calls import CallServer
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import CLOCK_S, Gateway, endpoints, service, settled
from tests.unit.services.gateway.waker import Waker
from tests.unit.services.gateway.wakes import First, Wakes, send_first

InBackground = Callable[..., Future[Any]]
HELLO = "default/hello-1"
REPEAT_S = 0.1


def waiting(gateway: Gateway, key: str = HELLO) -> int:
    revisions = gateway.admin("GET", "/v1/load").json()["revisions"]
    return int(revisions.get(key, {"waiting": 0})["waiting"])


@pytest.fixture
def server() -> Iterator[CallServer]:
    server = CallServer()
    yield server
    server.stop()


def test_first_request_names_its_revision_at_once_and_until_there_is_an_instance(
    gateway: Gateway, instance: Instance, in_background: InBackground
) -> None:
    gateway.serve()
    with Waker(gateway) as waker:
        began = time.monotonic()
        requests = [in_background(gateway.request) for _ in range(20)]
        until(lambda: waiting(gateway) == 20, "all are held")
        until(lambda: len(waker.heard) >= 10, "it is named again")
        named, took_s = len(waker.heard), time.monotonic() - began
        assert {key for _, key in waker.heard} == {HELLO}
        # Many requests in two workers: one of these names it, and not each of them. When each came is not asked:
        # whoever listens may have been kept waiting, and hears several at once.
        assert named <= took_s / REPEAT_S + 2
        assert waker.connections == 1
        waker.start(HELLO, endpoints(instance.port))
        assert {each.result().status for each in requests} == {200}
        heard = len(waker.heard)
        until(lambda: waker.open == 0, "nothing is wanted, and the connection is closed")
        wait_until(time.monotonic() + 3 * REPEAT_S)
        assert len(waker.heard) <= heard + 1
    settled(gateway)


def test_every_kind_of_first_request_is_sent_once(
    start_gateway: MakeGateway, instance: Instance, server: CallServer
) -> None:
    edge, internal, h2c = free_ports(3)
    gateway = start_gateway(
        listeners=(
            Listener("edge", f"127.0.0.1:{edge}"),
            Listener("internal", f"127.0.0.1:{internal}"),
            Listener("edge", f"127.0.0.1:{h2c}", http2=True),
        )
    )
    wakes = Wakes(gateway, instance, server, 20)
    with Waker(gateway) as waker:
        wrong = [
            each
            for number, name in enumerate(wakes.names)
            for each in wakes.wake(waker, name, requests=50, early=number % 2 == 1)
        ]
    assert wrong == []
    settled(gateway)


def test_orchestrator_that_comes_later_hears_what_is_wanted(
    gateway: Gateway, instance: Instance, in_background: InBackground
) -> None:
    gateway.serve()
    request = in_background(gateway.request, "POST", body=b"x")
    until(lambda: waiting(gateway) == 1, "it is held")
    for _ in range(2):
        with Waker(gateway) as waker:
            until(lambda waker=waker: len(waker.heard) >= 2, "it is named")
    assert gateway.errors().count("wake sleeping revisions over") in (1, 2)
    with Waker(gateway, {HELLO: endpoints(instance.port)}):
        assert request.result().status == 200
    settled(gateway)


def test_killed_worker_leaves_naming_to_the_others(gateway: Gateway, instance: Instance) -> None:
    gateway.serve()
    with Waker(gateway) as waker:
        clients = [send_first(gateway, "hello", 0, number) for number in range(40)]
        until(lambda: waiting(gateway) == 40, "both workers hold some")
        processes = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in gateway.workers()}
        os.kill(next(child for child, name in processes.items() if b"worker" in name), signal.SIGKILL)
        # Longer than it may take until another one does.
        at = time.monotonic() + 0.5
        until(lambda: waker.times(HELLO)[-1] > at, "it is named all the same")
        waker.start(HELLO, endpoints(instance.port))
        served = [each for each in clients if is_served(each)]
    assert len(served) == len(instance.seen) > 0


def is_served(first: First) -> bool:
    try:
        return first.answer() == ""
    except OSError:
        return False  # its worker was killed


@pytest.mark.parametrize("kind", range(10))
def test_client_that_goes_away_gives_its_place_back_at_once(gateway: Gateway, kind: int) -> None:
    gateway.serve()
    first, other = (send_first(gateway, "hello", kind, number) for number in range(2))
    until(lambda: waiting(gateway) == 2, "both are held")
    first.client.close()
    until(lambda: waiting(gateway) == 1, "one is held")
    other.client.close()
    until(lambda: waiting(gateway) == 0, "none is held")
    settled(gateway)


def test_line_is_bounded_over_workers(gateway: Gateway, instance: Instance, in_background: InBackground) -> None:
    gateway.serve(limits=Limits(queue_size=5))
    answers = [in_background(gateway.request) for _ in range(12)]
    until(lambda: sum(each.done() for each in answers) == 7, "all but five are refused")
    refused = [each.result() for each in answers if each.done()]
    assert {(each.status, each.kind, each.headers["Retry-After"]) for each in refused} == {(429, "queue-full", "1")}
    with Waker(gateway, {HELLO: endpoints(instance.port)}):
        assert Counter(each.result().status for each in answers) == {200: 5, 429: 7}


def test_service_that_is_stopped_by_hand_wakes_nobody(gateway: Gateway) -> None:
    gateway.serve(stopped=True)
    with Waker(gateway) as waker:
        assert gateway.request().kind == "stopped"
        wait_until(time.monotonic() + 2 * REPEAT_S)
        assert waker.heard == []


@pytest.mark.parametrize(("start_timeout_s", "status"), [(0, 503), (60, 200)])
def test_request_waits_for_a_start_as_long_as_one_may_take(
    start_gateway: MakeGateway, instance: Instance, in_background: InBackground, start_timeout_s: int, status: int
) -> None:
    gateway = start_gateway(hold_timeout_ms=300)
    gateway.serve()
    gateway.push(endpoints={HELLO: endpoints(start_timeout_s=start_timeout_s)})
    request = in_background(gateway.request)
    until(lambda: waiting(gateway) == 1, "it is held")
    wait_until(time.monotonic() + 0.6)
    assert request.done() == (status == 503)
    gateway.push(endpoints={HELLO: endpoints(instance.port)})
    assert request.result().status == status


def test_time_for_a_place_begins_with_the_first_instance(
    start_gateway: MakeGateway, make_instance: MakeInstance, in_background: InBackground
) -> None:
    gateway = start_gateway(hold_timeout_ms=1500)
    one, two = make_instance("one"), make_instance("two")
    gateway.serve()
    gateway.push(endpoints={HELLO: endpoints(start_timeout_s=60)})
    requests = [in_background(gateway.request, path="/wait") for _ in range(8)]
    until(lambda: waiting(gateway) == 8, "all are held")
    # Longer than a place may take; it is no place that they wait for.
    wait_until(time.monotonic() + 1.6)
    gateway.push(endpoints={HELLO: endpoints(one.port, concurrency=4)})
    until(lambda: one.waiting == 4, "the first instance is full")
    assert not any(each.done() for each in requests)
    gateway.push(endpoints={HELLO: endpoints(one.port, two.port, concurrency=4)})
    until(lambda: two.waiting == 4, "the second one has the others")
    one.release()
    two.release()
    assert {each.result().status for each in requests} == {200}
    assert (one.peak, two.peak) == (4, 4)


def test_held_requests_are_spread_over_what_came(
    start_gateway: MakeGateway, make_instance: MakeInstance, in_background: InBackground
) -> None:
    gateway = start_gateway(workers=4)
    instances = [make_instance(str(number)) for number in range(4)]
    gateway.serve()
    requests = [in_background(gateway.request, path="/wait") for _ in range(28)]
    until(lambda: waiting(gateway) == 28, "all are held")
    gateway.push(endpoints={HELLO: endpoints(*(each.port for each in instances), concurrency=10)})
    until(lambda: sum(each.waiting for each in instances) == 28, "all have a place")
    # Two workers that look at once may take the same one for the least loaded.
    assert min(each.waiting for each in instances) >= 5
    assert max(each.peak for each in instances) <= 10
    for each in instances:
        each.release()
    assert {each.result().status for each in requests} == {200}


def test_five_hundred_sleeping_services_are_woken_over_one_connection_a_worker(
    start_gateway: MakeGateway, instance: Instance
) -> None:
    # One client may have all of them, and those to their instances, wherever they come.
    gateway = start_gateway(worker_connections=4096)
    names = [f"s{number}" for number in range(500)]
    gateway.push(
        services={f"default/{name}": service((f"{name}-1", 100)) for name in names},
        hosts={f"{name}.localhost": f"default/{name}" for name in names},
        endpoints={f"default/{name}-1": endpoints() for name in names},
    )
    with Waker(gateway) as waker:
        clients = [send_first(gateway, name, 0, 0) for name in names]
        until(lambda: len({key for _, key in waker.heard}) == 500, "all are named")
        assert waker.connections <= 2
        gateway.push(endpoints={f"default/{name}-1": endpoints(instance.port) for name in names})
        assert [failure for each in clients if (failure := each.answer())] == []
    assert len(instance.seen) == 500


def test_held_request_is_held_to_what_its_service_may_answer(
    gateway: Gateway, instance: Instance, in_background: InBackground
) -> None:
    gateway.serve(handling=Handling(max_response_bytes=1000))
    answer = in_background(gateway.request, path="/size=1001")
    until(lambda: waiting(gateway) == 1, "it is held")
    gateway.push(endpoints={HELLO: endpoints(instance.port)})
    assert answer.result().kind == "response-too-large"


def test_wait_is_told_by_the_log_and_a_histogram(
    gateway: Gateway, instance: Instance, in_background: InBackground
) -> None:
    gateway.serve()
    requests = [in_background(gateway.request) for _ in range(3)]
    until(lambda: waiting(gateway) == 3, "all are held")
    wait_until(time.monotonic() + 0.3)
    gateway.push(endpoints={HELLO: endpoints(instance.port)})
    assert {each.result().status for each in requests} == {200}
    assert gateway.request().status == 200
    lines = gateway.requests(4)
    held = sorted(line["held_s"] for line in lines)
    # The one that found an instance did not wait.
    assert held[0] == 0
    assert all(0.3 <= each <= line for each, line in zip(held[1:], sorted(_durations(lines))[1:], strict=True))
    metrics = gateway.admin("GET", "/metrics").text
    labels = 'tenant="default",service="hello"'
    assert f'runyard_gateway_cold_start_seconds_bucket{{{labels},le="0.2"}} 0\n' in metrics
    assert f'runyard_gateway_cold_start_seconds_bucket{{{labels},le="+Inf"}} 3\n' in metrics
    assert f"runyard_gateway_cold_start_seconds_count{{{labels}}} 3\n" in metrics
    found = re.search(rf"cold_start_seconds_sum\{{{labels}\}} (\S+)", metrics)
    assert found
    assert float(found[1]) >= 3 * 0.3


def _durations(lines: list[dict[str, Any]]) -> list[float]:
    # nginx's clock and ours are not read in the same moment.
    return [line["duration_s"] + CLOCK_S for line in lines]


def test_request_for_no_revision_names_none(gateway: Gateway) -> None:
    gateway.push(services={"default/hello": service()}, hosts={"hello.localhost": "default/hello"})
    with Waker(gateway) as waker:
        with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
            wait_until(time.monotonic() + 3 * REPEAT_S)
        assert waker.heard == []
