"""The queue: who waits for a place at an instance, in which order, how many and how long."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from runyard.contracts import Handling, Limits
from tests.harness.client import Answer
from tests.harness.waiting import PATIENCE_S, until, wait_until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, assert_lasted, settled

HELLO = 'tenant="default",service="hello"'


def metric(gateway: Gateway, name: str) -> float:
    """Read one metric of the service hello; 0 if it was never counted."""
    text = gateway.admin("GET", "/metrics").body.decode()
    found = re.search(rf"^runyard_gateway_{name}\{{{HELLO}\}} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0


def send_many(gateway: Gateway, count: int) -> list[socket.socket]:
    """Send this many requests, each on a connection of its own, and give the connections."""
    found = []
    for _ in range(count):
        found.append(socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S))
        found[-1].sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
    return found


def status_of(client: socket.socket) -> int:
    with client:
        return int(client.recv(65536).split()[1])


def test_requests_are_served_in_the_order_in_which_they_came(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, concurrency=1)
    with ThreadPoolExecutor(24) as pool:
        first = pool.submit(gateway.request, "GET", "/wait")
        until(lambda: instance.waiting == 1, "the instance is full")
        waiting: list[Future[Answer]] = []
        for number in range(20):
            waiting.append(pool.submit(gateway.request, "GET", f"/{number}"))
            until(lambda number=number: metric(gateway, "queue_length") == number + 1, "it waits")
            # Further apart than what the workers' firsts let each other go before.
            wait_until(time.monotonic() + 0.02)
        instance.release()
        assert {each.result().status for each in (first, *waiting)} == {200}
    assert [path for _, path in instance.seen] == ["/wait", *(f"/{number}" for number in range(20))]
    assert metric(gateway, "queue_length") == 0
    assert metric(gateway, "queue_wait_seconds_count") == 20
    assert metric(gateway, "queue_wait_seconds_sum") > 20 * 0.02


def test_newcomers_do_not_overtake_those_that_wait(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, concurrency=2)
    stop = threading.Event()
    longest: list[float] = []

    def load() -> None:
        worst = 0.0
        with gateway.connect() as connection:
            while not stop.is_set():
                began = time.monotonic()
                connection.request("GET", "/", headers={"Host": "hello.localhost"})
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                worst = max(worst, time.monotonic() - began)
        longest.append(worst)

    loads = [threading.Thread(target=load) for _ in range(12)]
    for each in loads:
        each.start()
    threading.Event().wait(2)
    stop.set()
    for each in loads:
        each.join(PATIENCE_S)
    # Twelve clients share two places; a request that is overtaken again and again would wait until the end.
    assert len(longest) == 12
    assert max(longest) < 1
    assert len(instance.seen) > 500


@pytest.mark.parametrize("workers", [2, 4])
def test_concurrency_is_reached_and_never_passed_over_many_clients_and_workers(
    start_gateway: MakeGateway, make_instance: MakeInstance, workers: int
) -> None:
    gateway = start_gateway(workers=workers)
    instances = [make_instance(name) for name in ("one", "two")]
    gateway.serve(*(each.port for each in instances), concurrency=3)

    def load(_: int) -> Counter[int]:
        found: Counter[int] = Counter()
        # A connection each, so that any worker may take it.
        for _ in range(40):
            found[gateway.request(path="/work").status] += 1
        return found

    with ThreadPoolExecutor(32) as pool:
        statuses = sum(pool.map(load, range(32)), Counter())
    assert statuses == {200: 32 * 40}
    # At every moment, as the instances counted it.
    assert [each.peak for each in instances] == [3, 3]
    settled(gateway)


def test_request_whose_body_is_not_kept_waits_for_a_place_before_it_is_begun(
    gateway: Gateway, instance: Instance
) -> None:
    gateway.serve(instance.port, concurrency=1, handling=Handling(request_buffering=False))
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(gateway.request, "PUT", "/wait", body=b"x" * 100_000) for _ in range(5)]
        until(lambda: metric(gateway, "queue_length") == 4, "four wait")
        instance.release()
        assert [(each.result().status, len(each.result().json()["body"])) for each in answers] == [(200, 100_000)] * 5
    assert instance.peak == 1
    settled(gateway)


def test_queue_has_a_size_and_is_429_beyond_it(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, concurrency=1, limits=Limits(queue_size=5))
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(gateway.request, "POST", "/wait", body=b"x") for _ in range(20)]
        until(lambda: sum(each.done() for each in answers) == 14, "all but six are refused")
        assert (instance.waiting, metric(gateway, "queue_length")) == (1, 5)
        instance.release()
        found = [each.result() for each in answers]
    assert Counter(each.status for each in found) == {200: 6, 429: 14}
    refused = next(each for each in found if each.status == 429)
    assert (refused.kind, refused.headers["Retry-After"]) == ("queue-full", "1")
    # When a place in the line is free again, nobody knows.
    told = (refused.headers["RateLimit-Policy"], refused.headers["RateLimit"])
    assert told == ('"queue";q=5;qu="concurrent-requests"', '"queue";r=0')
    assert metric(gateway, "queue_full_total") == 14


def test_service_without_a_queue_refuses_at_once(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, concurrency=1, limits=Limits(queue_size=0))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gateway.request, "GET", "/wait")
        until(lambda: instance.waiting == 1, "the instance is full")
        assert (gateway.request().status, gateway.request().kind) == (429, "queue-full")
        instance.release()
        assert first.result().status == 200
    assert gateway.request().status == 200


def test_wait_has_an_end_of_the_services_own(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, concurrency=1, limits=Limits(queue_timeout_s=1))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gateway.request, "GET", "/wait")
        until(lambda: instance.waiting == 1, "the instance is full")
        began = time.monotonic()
        answer = gateway.request()
        assert_lasted(time.monotonic() - began, 1)
        assert (answer.status, answer.kind) == (503, "all-busy")
        instance.release()
        assert first.result().status == 200


def test_held_request_is_counted_once(gateway: Gateway, instance: Instance) -> None:
    limits = Limits(concurrent_requests=1, client_requests_per_second=1, client_burst=2)
    gateway.serve(limits=limits)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(gateway.request)
        until(lambda: metric(gateway, "queue_length") == 1, "it is held")
        assert gateway.request().kind == "concurrency-limit"
        gateway.serve(instance.port, limits=limits)
        assert held.result().status == 200
    settled(gateway)


def test_thousand_waiting_requests_cost_little(start_gateway: MakeGateway, make_instance: MakeInstance) -> None:
    gateway = start_gateway(worker_connections=4096)
    gateway.serve()
    clients = send_many(gateway, 1000)
    until(lambda: metric(gateway, "queue_length") == 1000, "all wait")
    before = gateway.processor_s()
    threading.Event().wait(1)
    used_s = gateway.processor_s() - before
    assert status_of(send_many(gateway, 1)[0]) == 429
    gateway.serve(make_instance().port)
    assert Counter(status_of(each) for each in clients) == {200: 1000}
    # Two firsts that look every 20 ms, and this test's own look at the metrics.
    assert used_s < 0.3


@pytest.mark.parametrize("killed", [1, 2])
def test_killed_workers_leave_the_line(gateway: Gateway, instance: Instance, killed: int) -> None:
    gateway.serve(instance.port, concurrency=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: gateway.request(path="/wait").status)
        until(lambda: instance.waiting == 1, "the instance is full")
        clients = send_many(gateway, 30)
        until(lambda: metric(gateway, "queue_length") == 30, "all wait")
        assert gateway.process is not None
        children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
        before = children.read_text().split()
        for child in before[:killed]:
            os.kill(int(child), 9)
        until(lambda: not set(before[:killed]) & set(children.read_text().split()), "others have started")
        instance.release()
        assert first.exception() or first.result() == 200
    for each in clients:
        with each:
            assert each.recv(65536)[:12] in (b"HTTP/1.1 200", b"")
    until(lambda: metric(gateway, "queue_length") == 0, "nobody waits")
    settled(gateway)
    assert gateway.request().status == 200
