"""Elasticity as users meet it: services sleep, wake by a request, and have the instances that their load asks for."""

from __future__ import annotations

import concurrent.futures
import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from tests.e2e.load import Load
from tests.e2e.websocket import Socket
from tests.harness.stack import MINIMUM, Stack, docker, inspect, new_stack, service
from tests.harness.waiting import PATIENCE_S, SLACK_S, until

# The shortest window that Knative allows.
BOOST, MAXIMUM = "run.googleapis.com/startup-cpu-boost", "autoscaling.knative.dev/maxScale"
WINDOW = {"autoscaling.knative.dev/window": "6s", MINIMUM: "0"}
# A window, what of it must have been told, and what a busy machine adds.
ASLEEP_S = 40
BURST, FEW = 50, 20
# A whole CPU takes 80 requests at once.
WHOLE = {"cpu": "1", "memory": "128Mi"}
CHECK, SERVING = "/grpc.health.v1.Health/Check", b"\x08\x01"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with services that sleep soon, and one that takes two requests at once."""
    with new_stack(tmp_path_factory, "elastic") as made:
        made.platform(gateway={"port": made.port, "h2cPort": made.h2c_port})
        made.write("hello", service("hello", template=WINDOW, limits=WHOLE))
        made.write(
            "called", service("called", template=WINDOW, limits=WHOLE, ports=[{"name": "h2c", "containerPort": 8080}])
        )
        made.write("cold", service("cold", template={**WINDOW, "runyard.dev/idle": "freeze"}))
        # Below a whole CPU an instance takes one request at once, as on Cloud Run.
        made.write("busy", service("busy", template={**WINDOW, MAXIMUM: "4"}))
        made.write("eager", service("eager", template={BOOST: "true", MAXIMUM: "1"}))
        made.up()
        yield made


def instances(stack: Stack, name: str) -> list[str]:
    return [each for each in stack.names("instance", running=True) if f".{name}-" in each]


def verify(stack: Stack, *options: str) -> dict[str, Any]:
    return dict(json.loads(stack.verify("-o", "json", *options).stdout))


def begun(stack: Stack, name: str) -> int:
    """Count the instances that a service was given since it slept last."""
    counts = [int(each["count"]) for each in stack.told("why", name)["decisions"]]
    asleep = max(at for at, count in enumerate([0, *counts]) if not count)
    return max(counts[asleep:], default=0)


def put_to_sleep(stack: Stack, name: str = "hello") -> None:
    until(lambda: instances(stack, name) == [], f"{name} sleeps", within_s=ASLEEP_S, every_s=0.1)


def test_idle_service_sleeps_in_good_order_and_a_request_wakes_it(stack: Stack) -> None:
    put_to_sleep(stack)
    stack.expect_no_changes()
    assert stack.status()["in_step"]
    told = verify(stack)
    assert (told["good"], told["summary"]["failed"]) == (True, 0)
    assert instances(stack, "hello") == []
    began = time.monotonic()
    answer = stack.get("hello.localhost")
    print(f"awake in {(time.monotonic() - began) * 1000:.0f} ms")
    assert answer.status == 200
    assert len(instances(stack, "hello")) == 1


def test_first_requests_at_once_are_all_answered_by_one_instance(stack: Stack) -> None:
    put_to_sleep(stack)
    methods = ("GET", "POST")

    def ask(number: int) -> tuple[int, str]:
        method = methods[number % 2]
        answer = stack.get("hello.localhost", "/echo", method, f"body {number}" if method == "POST" else None)
        return answer.status, answer.headers["X-Request-Id"]

    with concurrent.futures.ThreadPoolExecutor(BURST) as pool:
        answers = list(pool.map(ask, range(BURST)))
    assert {status for status, _ in answers} == {200}
    assert len({request for _, request in answers}) == BURST
    assert begun(stack, "hello") == 1


def ask_by_websocket(stack: Stack, number: int) -> bool:
    with Socket(stack.port, "hello.localhost") as socket:
        return socket.echo(f"first {number}") == f"first {number}"


def ask_by_grpc(stack: Stack, number: int) -> bool:
    authority = [("grpc.default_authority", "called.localhost"), ("grpc.enable_retries", 0)]
    # A connection of its own, as of a client of its own.
    options = [*authority, ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{stack.h2c_port}", options) as channel:
        return bool(channel.unary_unary(CHECK)(b"", timeout=PATIENCE_S) == SERVING)


def ask_for_http2(stack: Stack, number: int) -> bool:
    """Ask over HTTP/1.1 what speaks HTTP/2 alone."""
    answer = stack.get("called.localhost", f"/headers?{number}")
    return (answer.status, answer.json()["protocol"]) == (200, "HTTP/2.0")


@pytest.mark.parametrize(("name", "kinds"), [("hello", [ask_by_websocket]), ("called", [ask_by_grpc, ask_for_http2])])
def test_first_sockets_and_calls_at_once_wait_for_one_instance(
    stack: Stack, name: str, kinds: list[Callable[[Stack, int], bool]]
) -> None:
    put_to_sleep(stack, name)
    with concurrent.futures.ThreadPoolExecutor(FEW) as pool:
        answered = list(pool.map(lambda number: kinds[number % len(kinds)](stack, number), range(FEW)))
    assert answered == [True] * FEW
    assert begun(stack, name) == 1


def test_load_scales_out_within_three_seconds_to_the_maximum_and_in_again_without_a_lost_request(stack: Stack) -> None:
    with Load(stack.port, "busy.localhost", rate=12, path="/sleep?ms=200") as load:
        until(lambda: instances(stack, "busy"), "the first instance")
        took = until(lambda: len(instances(stack, "busy")) == 4, "the load's instances")
        # Long enough for one too many to show.
        time.sleep(3)
        assert len(instances(stack, "busy")) == 4
    print(f"4 instances after {took:.1f} s; {load.total} requests")
    assert load.failures == {}
    with Load(stack.port, "busy.localhost", rate=2) as load:
        until(lambda: len(instances(stack, "busy")) == 1, "one instance", within_s=140, every_s=0.1)
    assert load.failures == {}
    put_to_sleep(stack, "busy")


def test_killed_orchestrator_lets_sleep_what_sleeps_and_keeps_what_runs(stack: Stack) -> None:
    orchestrator = f"runyard.{stack.name}.orchestrator"
    put_to_sleep(stack)
    docker("kill", "--signal", "KILL", orchestrator)
    docker("start", orchestrator)
    until(lambda: stack.status()["in_step"], "in step")
    assert instances(stack, "hello") == []
    assert stack.get("hello.localhost").status == 200
    (before,) = instances(stack, "hello")
    docker("kill", "--signal", "KILL", orchestrator)
    docker("start", orchestrator)
    until(lambda: stack.status()["in_step"], "in step")
    assert instances(stack, "hello") == [before]
    stack.expect_no_changes()


def test_gateway_restarted_while_a_service_sleeps_wakes_it(stack: Stack) -> None:
    put_to_sleep(stack)
    docker("restart", f"runyard.{stack.name}.gateway")
    until(lambda: stack.get("hello.localhost").status == 200, "hello answers")
    assert len(instances(stack, "hello")) == 1


def paused(stack: Stack, name: str) -> list[str]:
    found = docker(
        "ps", "--filter", f"label=runyard.dev/stack={stack.name}", "--filter", "status=paused", "--format", "{{.Names}}"
    )
    return [each for each in found.split() if f".{name}-" in each]


def test_frozen_service_keeps_its_instance_and_goes_on_by_a_request(stack: Stack) -> None:
    until(lambda: len(paused(stack, "cold")) == 1, "cold is frozen", within_s=ASLEEP_S, every_s=0.1)
    stack.expect_no_changes()
    told = verify(stack)
    assert (told["good"], told["summary"]["failed"]) == (True, 0)
    (before,) = paused(stack, "cold")
    times = []
    for _ in range(3):
        until(lambda: paused(stack, "cold") == [before], "cold is frozen", within_s=ASLEEP_S, every_s=0.1)
        began = time.monotonic()
        assert stack.get("cold.localhost").status == 200
        times.append(time.monotonic() - began)
        assert paused(stack, "cold") == []
    assert instances(stack, "cold") == [before]
    print(f"awake in {', '.join(f'{each * 1000:.0f}' for each in times)} ms")


def test_instance_has_more_cpu_until_it_was_ready_for_ten_seconds(stack: Stack) -> None:
    def quotas() -> list[int]:
        return [inspect(each)["HostConfig"]["CpuQuota"] for each in instances(stack, "eager")]

    (before,) = instances(stack, "eager")
    until(lambda: quotas() == [20_000], "the first one's boost is over")
    docker("kill", before)
    until(lambda: quotas() == [200_000], "another one starts with more")
    told = verify(stack)
    assert (told["good"], told["summary"]["failed"]) == (True, 0)
    (second,) = instances(stack, "eager")
    took = until(lambda: quotas() == [20_000], "its boost is over")
    print(f"boost over {took:.1f} s later")
    assert instances(stack, "eager") == [second]
    assert stack.get("eager.localhost").status == 200
    stack.expect_no_changes()


def test_schedule_has_its_instances_there_when_their_minute_begins(stack: Stack) -> None:
    # Late enough for the update to be over, in a zone half an hour off, which the orchestrator must know.
    begins = math.ceil((time.time() + 45) / 60) * 60
    clock = time.gmtime(begins + 19_800)
    # Of yesterday the entry held until midnight.
    entry = f"0 at 0 0 * * * Asia/Kolkata; 3 at {clock.tm_min} {clock.tm_hour} * * * Asia/Kolkata"
    stack.write("office", service("office", template=WINDOW, annotations={"runyard.dev/schedule": entry}))
    stack.up()
    assert time.time() < begins, "the update took longer than the schedule waits"
    assert len(instances(stack, "office")) <= 1
    until(lambda: len(instances(stack, "office")) == 3, "the schedule's instances", within_s=140, every_s=0.1)
    late_s = time.time() - begins
    print(f"3 instances {late_s:.1f} s after the minute began")
    assert 0 <= late_s < SLACK_S + 10
    stack.expect_no_changes()
    told = stack.told("why", "office")
    assert (told["schedule"]["instances"], told["schedule"]["since_unix_s"]) == (3, begins)
    assert (told["decisions"][-1]["count"], told["decisions"][-1]["why"]) == (3, "schedule")
