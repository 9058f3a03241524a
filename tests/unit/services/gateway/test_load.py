"""Load: what the gateway tells of the requests of each revision, over all workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from runyard.contracts import GatewayLoad, Limits, RevisionLoad, decode
from tests.harness.waiting import until, wait_until
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service, settled

InBackground = Callable[..., Future[Any]]
HELLO = "default/hello-1"
# nginx's own clock moves in steps of 4 ms, and each request begins and ends with one.
STEP_MS = 8


def tell(gateway: Gateway, before: GatewayLoad | None = None) -> GatewayLoad:
    query = f"?after={before.generation}&life={before.life}" if before else ""
    answer = gateway.admin("GET", f"/v1/load{query}")
    assert answer.status == 200, answer.body
    return decode(GatewayLoad, answer.body)


def hello(gateway: Gateway) -> RevisionLoad:
    return tell(gateway).revisions[HELLO]


def _is_up(gateway: Gateway) -> bool:
    try:
        return gateway.admin("GET", "/healthz").status == 200
    except OSError:
        return False


def gauges(gateway: Gateway) -> tuple[int, int]:
    load = tell(gateway).revisions.get(HELLO)
    return (load.in_flight, load.waiting) if load else (0, 0)


def test_gauges_and_sums_are_exact_over_workers(
    start_gateway: MakeGateway, instance: Instance, in_background: InBackground
) -> None:
    gateway = start_gateway(workers=4)
    gateway.serve(instance.port, concurrency=5)
    assert tell(gateway).revisions == {}
    requests = [in_background(gateway.request, path="/wait") for _ in range(12)]
    until(lambda: gauges(gateway) == (5, 7), "five have a place and seven wait")
    first = tell(gateway)
    wait_until(time.monotonic() + 0.5)
    second = tell(gateway)
    spent_ms = second.revisions[HELLO].request_ms - first.revisions[HELLO].request_ms
    # All twelve were there at every moment in between.
    assert spent_ms == pytest.approx(12 * (second.at_ms - first.at_ms), abs=12 * STEP_MS)
    instance.release()
    assert {each.result().status for each in requests} == {200}
    until(lambda: gauges(gateway) == (0, 0), "all are done")
    assert hello(gateway).arrivals == 12
    idle = hello(gateway).request_ms
    assert idle >= second.revisions[HELLO].request_ms
    wait_until(time.monotonic() + 0.05)
    assert hello(gateway).request_ms == idle


def test_only_what_moved_is_told_again(gateway: Gateway, instance: Instance, in_background: InBackground) -> None:
    names = [f"s{number}" for number in range(5)]
    gateway.push(
        services={f"default/{name}": service((f"{name}-1", 100)) for name in names},
        hosts={f"{name}.localhost": f"default/{name}" for name in names},
        endpoints={f"default/{name}-1": endpoints(instance.port) for name in names},
    )
    for name in names:
        assert gateway.request(host=f"{name}.localhost").status == 200
    settled(gateway)
    whole = tell(gateway)
    assert sorted(whole.revisions) == [f"default/{name}-1" for name in names]
    # What moved while it was read may be told once more.
    known = tell(gateway, whole)
    assert tell(gateway, known).revisions == {}
    assert gateway.request(host="s3.localhost").status == 200
    settled(gateway)
    moved = tell(gateway, known)
    assert list(moved.revisions) == ["default/s3-1"]
    assert moved.revisions["default/s3-1"].arrivals == 2
    assert moved.generation > known.generation
    # Whoever was told less is told all of it.
    assert sorted(tell(gateway, GatewayLoad(whole.life, 0, 0)).revisions) == sorted(whole.revisions)
    request = in_background(gateway.request, path="/wait", host="s0.localhost")
    until(lambda: instance.waiting == 1, "the instance has it")
    busy = tell(gateway, moved)
    wait_until(time.monotonic() + 0.02)
    # One in flight moves all the time.
    assert list(tell(gateway, busy).revisions) == ["default/s0-1"]
    instance.release()
    assert request.result().status == 200


def test_request_that_the_line_has_no_room_for_has_come_and_one_over_the_limit_has_not(
    gateway: Gateway, instance: Instance, in_background: InBackground
) -> None:
    gateway.serve(instance.port, concurrency=1, limits=Limits(queue_size=1))
    requests = [in_background(gateway.request, path="/wait") for _ in range(2)]
    until(lambda: gauges(gateway) == (1, 1), "one has the place and one waits")
    assert gateway.request().kind == "queue-full"
    assert hello(gateway).arrivals == 3
    instance.release()
    assert {each.result().status for each in requests} == {200}
    gateway.serve(instance.port, limits=Limits(requests_per_second=1))
    statuses = [gateway.request().status for _ in range(4)]
    assert statuses.count(429) >= 2
    assert hello(gateway).arrivals == 3 + statuses.count(200)


def test_request_without_an_instance_waits_and_has_come_once(
    gateway: Gateway, instance: Instance, in_background: InBackground
) -> None:
    gateway.serve()
    request = in_background(gateway.request)
    until(lambda: gauges(gateway) == (0, 1), "it waits")
    gateway.serve(instance.port)
    assert request.result().status == 200
    until(lambda: gauges(gateway) == (0, 0), "it is done")
    assert hello(gateway).arrivals == 1


def test_killed_worker_ends_what_it_had_and_keeps_the_sums(
    start_gateway: MakeGateway, instance: Instance, in_background: InBackground
) -> None:
    gateway = start_gateway(workers=1)
    gateway.serve(instance.port, concurrency=2)
    assert gateway.request().status == 200
    requests = [in_background(gateway.request, path="/wait") for _ in range(3)]
    until(lambda: gauges(gateway) == (2, 1), "two have a place and one waits")
    before = tell(gateway)
    for worker in gateway.workers():
        os.kill(worker, signal.SIGKILL)
    for each in requests:
        assert isinstance(each.exception(), OSError)
    until(lambda: _is_up(gateway), "another worker is there")
    assert gauges(gateway) == (0, 0)
    after = tell(gateway)
    assert (after.life, after.revisions[HELLO].arrivals) == (before.life, 4)
    assert after.revisions[HELLO].request_ms >= before.revisions[HELLO].request_ms
    assert gateway.request().status == 200
    assert hello(gateway).arrivals == 5


def test_life_goes_on_over_a_reload_and_ends_with_the_gateway(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    assert gateway.request().status == 200
    before, workers = tell(gateway), gateway.workers()
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: not {*workers} & {*gateway.workers()}, "the workers are new")
    assert gateway.request().status == 200
    reloaded = tell(gateway, before)
    assert (reloaded.life, reloaded.revisions[HELLO].arrivals) == (before.life, 2)
    gateway.keep()
    gateway.stop()
    gateway.start()
    # Told in full whatever its reader had heard of the life before, and so as a beginning.
    assert gateway.request().status == 200
    begun = tell(gateway, GatewayLoad(before.life, 10**6, 0))
    assert begun.life != before.life
    assert begun.revisions[HELLO].arrivals == 1
    assert begun.revisions[HELLO].since_ms > before.revisions[HELLO].since_ms


@pytest.mark.parametrize("query", ["?after=x", "?after=-1"])
def test_question_that_cannot_be_read_is_refused(gateway: Gateway, query: str) -> None:
    answer = gateway.admin("GET", f"/v1/load{query}")
    assert (answer.status, answer.kind) == (400, "load")
    assert gateway.admin("PUT", "/v1/load").kind == "load"
