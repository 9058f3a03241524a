"""Drains: a request to the gateway that waits until an instance has none."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import GatewayDelta, GatewayEndpoints, encode
from tests.harness.client import UnixConnection, answer_of
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, assert_lasted, endpoints, service, settled

InBackground = Callable[..., Future[Any]]


def ask(gateway: Gateway, wait_s: float, address: str = "127.0.0.1") -> int:
    answer = gateway.admin("GET", f"/v1/inflight/{address}?wait={wait_s}")
    assert answer.status == 200, answer.body
    assert answer.json().keys() == {"inflight"}
    return int(answer.json()["inflight"])


def test_idle_instance_is_told_at_once(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    assert gateway.request().status == 200
    settled(gateway)
    began = time.monotonic()
    assert (ask(gateway, 20), ask(gateway, 20, "10.0.0.1"), ask(gateway, 20, "fd00::1")) == (0, 0, 0)
    assert_lasted(time.monotonic() - began, 0)


def test_wait_ends_with_the_last_request_whichever_worker_has_it(
    start_gateway: MakeGateway, instance: Instance, in_background: InBackground
) -> None:
    gateway = start_gateway(workers=4)
    gateway.serve(instance.port)
    requests = [in_background(gateway.request, path="/wait") for _ in range(12)]
    until(lambda: instance.waiting == 12, "the instance has them all")
    # Withdrawn, as before any drain: what it has is counted all the same.
    delta = GatewayDelta(1, 2, endpoints={"default/hello-1": GatewayEndpoints()})
    assert gateway.admin("PATCH", "/v1/snapshot", encode(delta)).status == 200
    drains = [in_background(ask, gateway, 20) for _ in range(4)]
    assert ask(gateway, 0) == 12
    assert ask(gateway, 0.2) == 12
    assert not any(each.done() for each in drains)
    instance.release()
    assert {each.result().status for each in requests} == {200}
    assert [each.result() for each in drains] == [0, 0, 0, 0]


def test_wait_ends_when_its_time_is_over(gateway: Gateway, instance: Instance, in_background: InBackground) -> None:
    gateway.serve(instance.port)
    request = in_background(gateway.request, path="/wait")
    until(lambda: instance.waiting == 1, "the instance has it")
    began = time.monotonic()
    assert ask(gateway, 0.5) == 1
    assert_lasted(time.monotonic() - began, 0.5)
    instance.release()
    assert request.result().status == 200


def test_every_port_of_an_address_counts_and_no_other_address(
    gateway: Gateway, make_instance: MakeInstance, in_background: InBackground
) -> None:
    one, two = make_instance("one"), make_instance("two")
    gateway.push(
        services={"default/a": service(("a-1", 100)), "default/b": service(("b-1", 100))},
        hosts={"a.localhost": "default/a", "b.localhost": "default/b"},
        endpoints={"default/a-1": endpoints(one.port), "default/b-1": endpoints(two.port)},
    )
    requests = [in_background(gateway.request, path="/wait", host=f"{name}.localhost") for name in "aab"]
    until(lambda: (one.waiting, two.waiting) == (2, 1), "the instances have them")
    assert gateway.inflight() == {f"127.0.0.1:{one.port}": 2, f"127.0.0.1:{two.port}": 1}
    assert (ask(gateway, 0), ask(gateway, 0, "127.0.0"), ask(gateway, 0, "27.0.0.1")) == (3, 0, 0)
    one.release()
    assert [each.result().status for each in requests[:2]] == [200, 200]
    until(lambda: ask(gateway, 0) == 1, "the first has none")
    two.release()
    assert ask(gateway, 20) == 0
    assert requests[2].result().status == 200


@pytest.mark.parametrize("query", ["wait=-1", "wait=31", "wait=nan", "wait=inf"])
def test_wait_out_of_its_range_is_400(gateway: Gateway, query: str) -> None:
    answer = gateway.admin("GET", f"/v1/inflight/127.0.0.1?{query}")
    assert (answer.status, answer.kind) == (400, "inflight")
    assert answer.json()["detail"] == "must be GET, with wait from 0 to 30"


def test_other_methods_are_400(gateway: Gateway) -> None:
    assert gateway.admin("PUT", "/v1/inflight/127.0.0.1").kind == "inflight"


def test_gateway_that_ends_waits_for_no_drain(
    start_gateway: MakeGateway, instance: Instance, in_background: InBackground
) -> None:
    gateway = start_gateway(workers=1)
    gateway.serve(instance.port)
    request = in_background(gateway.request, path="/wait")
    until(lambda: instance.waiting == 1, "the instance has it")
    drain = UnixConnection(Path(gateway.config.admin_socket))
    drain.request("GET", "/v1/inflight/127.0.0.1?wait=20")
    # The only worker takes connections in their order: after this it has the one before.
    assert ask(gateway, 0) == 1
    assert gateway.process is not None
    began = time.monotonic()
    gateway.process.send_signal(signal.SIGQUIT)
    assert answer_of(drain.getresponse()).json() == {"inflight": 1}
    assert_lasted(time.monotonic() - began, 0)
    drain.close()
    instance.release()
    assert request.result().status == 200
    gateway.process.wait(PATIENCE_S)
    gateway.process = None
