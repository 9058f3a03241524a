"""Rollouts as users meet them: under load, with a WebSocket open, and one that cannot become ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.load import Load
from tests.e2e.websocket import Socket
from tests.harness.stack import Stack, descendants, docker, inspect, new_stack, service
from tests.harness.waiting import until

RATE = 500
# Above those of tests/e2e/conftest.py.
SLOW = {"serving.knative.dev/rollout-duration": "20s"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with a service for each test, so that it is made and taken down once."""
    with new_stack(tmp_path_factory, "rollouts") as made:
        for name, minimum, annotations in (("web", 3, {}), ("counted", 1, {}), ("slow", 1, SLOW)):
            made.write(name, manifest(name, "1", minimum, **annotations))
        made.up()
        yield made


def manifest(name: str, version: str, minimum: int = 1, **annotations: str) -> dict[str, Any]:
    scale = {"autoscaling.knative.dev/minScale": str(minimum)}
    return service(name, template=scale, annotations=annotations, env=[{"name": "VERSION", "value": version}])


def revision(stack: Stack, name: str) -> str:
    return str(stack.get(f"{name}.localhost").json()["revision"])


def running(stack: Stack, name: str) -> int:
    return sum(f".{name}." in each for each in stack.names("instance", running=True))


def workers(stack: Stack) -> list[int]:
    """Give the processes of nginx's workers, which a reload replaces; its master stays."""
    master = inspect(f"runyard.{stack.name}.gateway")["State"]["Pid"]
    return [pid for pid in descendants(master) if Path(f"/proc/{pid}/cmdline").read_text().startswith("nginx: worker")]


def shares(stack: Stack, name: str) -> dict[str, int]:
    traffic = next(each["traffic"] for each in stack.status()["services"] if each["service"] == name)
    return {each["revision"]: each["percent"] for each in traffic if each["percent"]}


def test_rollouts_under_load_lose_no_request_and_no_socket(stack: Stack):
    first, host = revision(stack, "web"), "web.localhost"
    before = workers(stack)
    with Socket(stack.port, host) as socket, Load(stack.port, host, RATE, "/echo", posts=True) as load:
        assert socket.echo("before") == "before"
        for version in ("2", "3"):
            stack.write("web", manifest("web", version, 1))
            stack.up()
            # The minimum is 1 now, and 3 carried the load.
            assert running(stack, revision(stack, "web")) >= 3
        assert socket.echo("after") == "after"
        until(lambda: running(stack, first) == 1)
    print(f"{load.total} requests, {load.failures or 'no'} failures")
    assert load.total > RATE
    assert load.failures == {}
    assert workers(stack) == before != []
    # Its last request, the socket, is over: now it may go.
    until(lambda: running(stack, first) == 0)


def test_counts_of_the_service_apply_at_once_and_the_way_to_zero_answers_503(stack: Stack):
    before = revision(stack, "counted")
    for count in (2, 0):
        by_hand = {
            "run.googleapis.com/scalingMode": "manual",
            "run.googleapis.com/manualInstanceCount": str(count),
        }
        stack.write("counted", manifest("counted", "1", **by_hand))
        stack.up()
        until(lambda count=count: running(stack, before) == count)
    answer = stack.get("counted.localhost")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    stack.expect_no_changes()


def test_gradual_rollout_goes_on_after_the_orchestrator_was_killed(stack: Stack):
    first = revision(stack, "slow")
    stack.write("slow", manifest("slow", "2", **SLOW))
    stack.up()
    # What stays of earlier revisions lets this one serve on.
    assert first in shares(stack, "slow")
    # What is on its way to where the manifest wants it is no difference from the manifest.
    stack.expect_no_changes()
    orchestrator = f"runyard.{stack.name}.orchestrator"
    docker("kill", "--signal", "KILL", orchestrator)
    docker("start", orchestrator)
    until(lambda: stack.status()["in_step"])
    took = until(lambda: first not in shares(stack, "slow"))
    print(f"all traffic had moved {took:.1f} s later")
    until(lambda: running(stack, first) == 0)
