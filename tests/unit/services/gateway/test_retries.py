"""Retries and breakers as services ask for them: how often, how long after, and when not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from runyard.contracts import Breaker, Retries
from tests.harness.client import Answer
from tests.harness.ports import free_ports
from tests.harness.waiting import SLACK_S, until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import CLOCK_S, Gateway, endpoints, service, settled

CALLER = "127.0.0.7"
Ask = Callable[..., Answer]


@pytest.fixture(params=["edge", "internal"])
def ask(request: pytest.FixtureRequest, gateway: Gateway) -> Ask:
    """Give a way to the service hello: as the public has it, or as another service."""
    return public_way(gateway) if request.param == "edge" else internal_way(gateway)


def public_way(gateway: Gateway) -> Ask:
    return lambda method, path: gateway.request(method, path)


def internal_way(gateway: Gateway) -> Ask:
    return lambda method, path: gateway.request(method, path, host="hello.internal", source=CALLER)


def serve(gateway: Gateway, *ports: int, **fields: Any) -> None:
    hello = service(("hello-1", 100), **fields)
    gateway.push(
        services={"default/hello": hello, "default/caller": service(uses=("hello",))},
        hosts={"hello.localhost": "default/hello"},
        callers={CALLER: "default/caller"},
        endpoints={"default/hello-1": endpoints(*ports)},
    )


@pytest.mark.parametrize("attempts", [0, 1, 4])
@pytest.mark.parametrize("backoff_ms", [0, 5])
def test_request_that_breaks_instances_is_sent_again_as_often_as_its_service_says(
    gateway: Gateway, ask: Ask, make_instance: MakeInstance, attempts: int, backoff_ms: int
) -> None:
    instances = [make_instance(), make_instance(), make_instance()]
    serve(gateway, *(each.port for each in instances), retries=Retries(attempts, backoff_ms, backoff_ms))
    answer = ask("GET", "/break")
    assert (answer.status, answer.kind) == (502, "instance-failed")
    assert sum(len(each.seen) for each in instances) == 1 + attempts
    settled(gateway)


def test_post_is_not_sent_again_whatever_its_service_says(gateway: Gateway, ask: Ask, instance: Instance) -> None:
    serve(gateway, instance.port, retries=Retries(7, 5, 50))
    assert ask("POST", "/break").status == 502
    assert len(instance.seen) == 1


def test_wait_before_each_attempt_is_left_to_chance_up_to_twice_the_one_before(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    waits: list[list[float]] = [[], [], []]
    for _ in range(12):
        instance = make_instance()
        serve(gateway, instance.port, retries=Retries(3, 100, 250))
        assert gateway.request("GET", "/break").status == 502
        assert len(instance.seen_at) == 4
        for each, (before, after) in zip(waits, pairwise(instance.seen_at), strict=True):
            each.append(after - before)
    for most_s, each in zip((0.1, 0.2, 0.25), waits, strict=True):
        # Of twelve draws some are in the upper half, and they differ; a busy machine only makes one longer.
        assert sorted(each)[len(each) // 2] < most_s + CLOCK_S
        assert max(each) > most_s / 3
        assert max(each) - min(each) > most_s / 10


def test_wait_ends_with_the_time_of_the_request(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance.port, timeout_s=1, retries=Retries(3, 60_000, 60_000))
    began = time.monotonic()
    answer = gateway.request("GET", "/break")
    assert answer.status in (502, 504)
    assert time.monotonic() - began < 1 + SLACK_S


def test_refused_connection_is_no_attempt(gateway: Gateway, ask: Ask, instance: Instance) -> None:
    serve(gateway, *free_ports(1), instance.port, retries=Retries(0))
    assert {ask("POST", "/").status for _ in range(10)} == {200}


def test_request_is_not_taken_from_an_instance_that_hangs_where_none_may_be_sent_again(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    hanging, other = make_instance("hanging"), make_instance("other")
    serve(gateway, hanging.port, retries=Retries(0), timeout_s=30)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(gateway.request, "GET", "/wait")
        until(lambda: hanging.waiting == 1, "it is at the instance")
        serve(gateway, hanging.port, other.port, retries=Retries(0), timeout_s=30)
        hanging.release()
        assert held.result().status == 200
    assert [path for _, path in other.seen if path == "/wait"] == []


def broken(ask: Ask) -> Callable[[], bool]:
    return lambda: ask("GET", "/").kind == "broken"


def test_breaker_opens_and_rests_as_its_service_says(start_gateway: MakeGateway) -> None:
    gateway = start_gateway(hold_timeout_ms=100)
    serve(gateway, *free_ports(2), breaker=Breaker(failures=2, patience_s=0, open_s=20, open_most_s=20))
    until(broken(public_way(gateway)), "the breaker opens")
    # For both kinds of callers it is the same one.
    answer = internal_way(gateway)("GET", "/")
    assert (answer.status, answer.kind) == (503, "broken")
    assert 15 <= int(answer.headers["Retry-After"]) <= 20


def test_breaker_waits_for_as_many_failures_and_for_as_long_as_its_service_says(start_gateway: MakeGateway) -> None:
    gateway = start_gateway(hold_timeout_ms=100)
    ask = public_way(gateway)
    serve(gateway, *free_ports(1), breaker=Breaker(failures=1, patience_s=60))
    assert "broken" not in {ask("GET", "/").kind for _ in range(8)}
    serve(gateway, *free_ports(1), breaker=Breaker(failures=10_000, patience_s=0))
    assert "broken" not in {ask("GET", "/").kind for _ in range(8)}


def test_breaker_that_is_off_never_opens_and_closes_one_that_is_open(
    start_gateway: MakeGateway, make_instance: MakeInstance
) -> None:
    gateway = start_gateway(hold_timeout_ms=100)
    ask, (port,) = public_way(gateway), free_ports(1)
    serve(gateway, port, breaker=Breaker(failures=0))
    assert "broken" not in {ask("GET", "/").kind for _ in range(8)}
    serve(gateway, port, breaker=Breaker(failures=1, patience_s=0, open_s=60, open_most_s=60))
    until(broken(ask), "the breaker opens")
    instance = make_instance(port=port)
    assert ask("GET", "/").kind == "broken"
    serve(gateway, instance.port, breaker=Breaker(failures=0))
    until(lambda: ask("GET", "/").status == 200, "requests pass")
