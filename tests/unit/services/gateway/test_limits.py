"""Limits: how many requests pass, exactly, over two workers, and what those that do not pass are told."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from runyard.contracts import Limits
from tests.harness.client import Answer, answer_of
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.conftest import MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service, settled

# Of rates up to 100 a second.
DEFAULT_BURST = 10


def serve(gateway: Gateway, port: int, **limits: int | str) -> None:
    gateway.serve(port, limits=Limits(**limits))  # type: ignore[arg-type]


def ask(gateway: Gateway, count: int, **headers: str) -> list[Answer]:
    return [
        gateway.request(headers={name.replace("_", "-"): value for name, value in headers.items()})
        for _ in range(count)
    ]


def flood(
    gateway: Gateway, seconds: float, hosts: tuple[str, ...] = ("hello.localhost",)
) -> tuple[Counter[int], float]:
    """Send as much as 8 connections take for a time; give the statuses, and the seconds from first to last."""
    statuses: Counter[int] = Counter()
    began = time.monotonic()

    def load(number: int) -> Counter[int]:
        found: Counter[int] = Counter()
        with gateway.connect() as connection:
            while time.monotonic() - began < seconds:
                connection.request("GET", "/", headers={"Host": hosts[number % len(hosts)]})
                response = connection.getresponse()
                response.read()
                found[response.status] += 1
        return found

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(load, range(8)):
            statuses += found
    return statuses, time.monotonic() - began


def test_client_has_its_burst_and_is_told_what_is_left(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port, client_requests_per_second=1, client_burst=4)
    answers = ask(gateway, 5)
    assert [each.status for each in answers] == [200] * 4 + [429]
    assert [each.headers["RateLimit-Policy"] for each in answers] == ['"client";q=1;w=1'] * 5
    left = [re.fullmatch(r'"client";r=(\d+);t=(\d+)', each.headers["RateLimit"]) for each in answers]
    assert [int(each[1]) for each in left if each] == [3, 2, 1, 0, 0]
    refused = answers[-1]
    assert refused.kind == "client-limit"
    assert refused.headers["Retry-After"] == "1"
    assert len(instance.seen) == 4


def test_other_services_are_not_limited_and_told_nothing(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port)
    answers = ask(gateway, 30)
    assert {each.status for each in answers} == {200}
    assert not {name for each in answers for name in each.headers if name.startswith("RateLimit")}


def test_address_of_a_client_is_its_connections_and_not_what_it_claims(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port, client_requests_per_second=1, client_burst=2)
    answers = [gateway.request(headers={"X-Forwarded-For": f"10.0.0.{number}"}) for number in range(4)]
    assert [each.status for each in answers] == [200, 200, 429, 429]


def test_clients_are_told_apart_by_a_header(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port, client_requests_per_second=1, client_burst=1, client_header="X-Api-Key")
    assert [each.status for each in ask(gateway, 2, X_Api_Key="ann")] == [200, 429]
    assert [each.status for each in ask(gateway, 2, X_Api_Key="bob")] == [200, 429]
    # Without it they are told by their address.
    assert [each.status for each in ask(gateway, 2)] == [200, 429]


def test_service_limit_holds_over_connections_and_workers(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port, requests_per_second=100)
    statuses, seconds = flood(gateway, 1.5)
    assert set(statuses) == {200, 429}
    assert statuses[200] <= DEFAULT_BURST + 100 * seconds
    # And it is not refused what it may have.
    assert statuses[200] >= 0.9 * 100 * 1.5


def test_tenants_quota_holds_over_its_services(gateway: Gateway, instance: Instance) -> None:
    limits = Limits(tenant_requests_per_second=60)
    names = [f"s{number}" for number in range(4)]
    gateway.push(
        services={f"default/{name}": service((f"{name}-1", 100), limits=limits) for name in names},
        hosts={f"{name}.localhost": f"default/{name}" for name in names},
        endpoints={f"default/{name}-1": endpoints(instance.port) for name in names},
    )
    statuses, seconds = flood(gateway, 1.5, tuple(f"{name}.localhost" for name in names))
    assert 0.9 * 60 * 1.5 <= statuses[200] <= DEFAULT_BURST + 60 * seconds
    refused = ask_until_refused(gateway, "s1.localhost")
    assert (refused.status, refused.kind) == (429, "tenant-limit")
    assert refused.headers["RateLimit-Policy"] == '"tenant";q=60;w=1'


def ask_until_refused(gateway: Gateway, host: str) -> Answer:
    found: list[Answer] = []
    # One connection and no pause: else a loaded machine asks no more often than the quota gives.
    with gateway.connect() as connection:

        def refused() -> bool:
            for _ in range(2 * DEFAULT_BURST):
                connection.request("GET", "/", headers={"Host": host})
                found.append(answer_of(connection.getresponse()))
                if found[-1].status != 200:
                    return True
            return False

        until(refused, "one is refused")
    return found[-1]


def test_request_that_the_tenant_is_refused_costs_the_service_nothing(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port, requests_per_second=5, tenant_requests_per_second=2, client_requests_per_second=9)
    answers = ask(gateway, 30)
    assert {each.kind for each in answers if each.status == 429} == {"tenant-limit"}
    refused = sum(each.status == 429 for each in answers)
    metrics = gateway.admin("GET", "/metrics").body.decode()
    labels = 'tenant="default",service="hello",limit="tenant"'
    assert f"runyard_gateway_limited_requests_total{{{labels}}} {refused}\n" in metrics


def test_requests_at_once_are_counted_over_workers_and_given_back(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port, concurrent_requests=3)
    with ThreadPoolExecutor(20) as pool:
        answers: list[Future[Answer]] = [pool.submit(gateway.request, "GET", "/wait") for _ in range(20)]
        until(lambda: sum(each.done() for each in answers) == 17, "all but three are refused")
        assert instance.waiting == 3
        instance.release()
        found = [each.result() for each in answers]
    assert Counter(each.status for each in found) == {200: 3, 429: 17}
    refused = [each for each in found if each.status == 429]
    assert {each.kind for each in refused} == {"concurrency-limit"}
    policy, state = '"concurrency";q=3;qu="concurrent-requests"', '"concurrency";r=0'
    assert {(each.headers["RateLimit-Policy"], each.headers["RateLimit"]) for each in refused} == {(policy, state)}
    assert {each.headers["Retry-After"] for each in refused} == {"1"}
    assert instance.peak == 3
    for _ in range(3):
        assert [each.status for each in ask(gateway, 4)] == [200] * 4


def test_killed_worker_leaves_no_counts_behind(gateway: Gateway, make_instance: MakeInstance) -> None:
    instance = make_instance()
    gateway.serve(instance.port, concurrency=2, limits=Limits(concurrent_requests=4))
    assert gateway.process is not None
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    for _ in range(3):
        waiting = [threading.Thread(target=lost, args=(gateway,)) for _ in range(2)]
        for each in waiting:
            each.start()
        until(lambda: instance.waiting == 2, "the instance is full")
        before = children.read_text().split()
        for child in before:
            os.kill(int(child), signal.SIGKILL)
        for each in waiting:
            each.join(PATIENCE_S)
        until(lambda before=set(before): not before & set(children.read_text().split()), "others have started")
        settled(gateway)
        instance.waiting = 0
    assert [each.status for each in ask(gateway, 8)] == [200] * 8


def lost(gateway: Gateway) -> None:
    """Send a request whose answer a killed worker takes with it."""
    with pytest.raises((OSError, HTTPException)):
        gateway.request(path="/wait")


def test_request_too_many_at_once_costs_no_rate(gateway: Gateway, instance: Instance) -> None:
    # Slow enough that a loaded machine does not fill a bucket meanwhile.
    own = Limits(concurrent_requests=1, requests_per_second=2, tenant_requests_per_second=2)
    gateway.push(
        services={
            "default/hello": service(("hello-1", 100), limits=own),
            "default/other": service(("hello-1", 100), limits=Limits(tenant_requests_per_second=2)),
        },
        hosts={"hello.localhost": "default/hello", "other.localhost": "default/other"},
        endpoints={"default/hello-1": endpoints(instance.port)},
    )
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gateway.request, "GET", "/wait")
        until(lambda: instance.waiting == 1, "the service has as many as it takes")
        # One of the two that a second gives is left, and stays.
        assert {each.kind for each in ask(gateway, 12)} == {"concurrency-limit"}
        assert gateway.request(host="other.localhost").status == 200
        instance.release()
        assert waiting.result().status == 200
