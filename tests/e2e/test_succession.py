"""Two orchestrators, of which one leads: whatever is done to either, and to the gateway, by hand."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.e2e.load import Load
from tests.harness.ports import free_port
from tests.harness.stack import Stack, docker, inspect, new_stack, service
from tests.harness.waiting import SLACK_S, until

RATE = 100
# `make soak` takes 300; the leader is then killed every 30 s, as the fault catalogue has it.
SOAK_S = float(os.environ.get("RUNYARD_SOAK_S", "15"))
EVERY_S = min(30.0, SOAK_S / 3)
PARTS = ("gateway", "orchestrator", "standby")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack that is up, with a service of two instances."""
    with new_stack(tmp_path_factory, "pair") as made:
        two = {f"autoscaling.knative.dev/{each}Scale": "2" for each in ("min", "max")}
        made.write("web", service("web", template=two))
        made.up()
        yield made


def name(stack: Stack, part: str) -> str:
    return f"runyard.{stack.name}.{part}"


def leader(stack: Stack) -> str:
    """Name the part that answers; nothing while none does."""
    try:
        return str(stack.status()["leader"])
    except OSError:
        return ""


def other(part: str) -> str:
    return next(each for each in PARTS[1:] if each != part)


def told(stack: Stack, part: str, event: str) -> list[dict[str, str]]:
    """Give what a part's journal tells of an event."""
    lines = map(json.loads, docker("logs", name(stack, part)).splitlines())
    return [each for each in lines if each["event"] == event]


def restarts(stack: Stack, part: str) -> int:
    try:
        return sum(each["restarts"] for each in stack.status()["parts"] if each["name"] == part)
    except OSError:
        return 0


def whole(stack: Stack) -> bool:
    """Tell whether all parts run, and somebody leads and is in step."""
    try:
        found = stack.status()
    except OSError:
        return False
    states = [inspect(name(stack, part))["State"]["Status"] for part in PARTS]
    return states == ["running"] * 3 and bool(found["in_step"]) and not found["problems"]


@pytest.mark.parametrize("harm", [("kill",), ("stop", "--time", "3"), ("pause",), ("kill", "--signal", "STOP")])
def test_stand_by_leads_within_2_s_and_the_leader_is_started_again_under_load(pair: Stack, harm: tuple[str, ...]):
    until(lambda: whole(pair))
    before, instances = leader(pair), pair.names("instance")
    with Load(pair.port, "web.localhost", RATE) as load:
        docker(*harm, name(pair, before))
        done = time.time()
        until(lambda: leader(pair) == other(before))
        until(lambda: whole(pair))
    # By the journal, as asking takes its time on a busy machine.
    led = datetime.fromisoformat(told(pair, other(before), "started")[-1]["time"]).timestamp()
    again = datetime.fromisoformat(told(pair, other(before), "part started again")[-1]["time"]).timestamp()
    took = led - done
    print(
        f"{' '.join(harm)}: other led after {took:.2f} s, part back after {again - done:.2f} s, {load.total} requests"
    )
    assert took < 2 + SLACK_S
    assert load.failures == {}
    assert pair.names("instance") == instances
    pair.expect_no_changes()


@pytest.mark.parametrize("harm", [("kill",), ("stop", "--time", "1"), ("pause",)])
@pytest.mark.parametrize("part", ["gateway", "other"])
def test_part_that_is_stopped_by_hand_is_started_again_within_2_s_and_reported(
    pair: Stack, part: str, harm: tuple[str, ...]
):
    until(lambda: whole(pair))
    leads = leader(pair)
    part = other(leads) if part == "other" else part
    before, told_before = restarts(pair, part), len(told(pair, leads, "part started again"))
    docker(*harm, name(pair, part))
    done = time.time()
    until(lambda: restarts(pair, part) == before + 1)
    until(lambda: whole(pair))
    event = told(pair, leads, "part started again")[told_before:]
    took = datetime.fromisoformat(event[0]["time"]).timestamp() - done
    print(f"{part} {' '.join(harm)}: started again after {took:.2f} s")
    assert took < 2 + SLACK_S
    assert leader(pair) == leads
    assert [each["part"] for each in event] == [part]
    (shown,) = [each for each in pair.status()["parts"] if each["name"] == part]
    assert shown["reason"] == f"it was {event[0]['was']}"
    assert pair.get("web.localhost").status == 200
    pair.expect_no_changes()


def test_update_that_makes_both_anew_is_not_fought_and_the_orchestrator_leads_again(pair: Stack):
    until(lambda: whole(pair))
    docker("kill", name(pair, "orchestrator"))
    until(lambda: leader(pair) == "standby" and whole(pair))
    both = PARTS[1:]
    before = {part: inspect(name(pair, part))["Id"] for part in both}
    # A port of its own is in the environment of both, and no container's environment can be changed.
    pair.orchestrator_port = free_port()
    pair.platform(gateway={"port": pair.port})
    with Load(pair.port, "web.localhost", RATE) as load:
        pair.up()
    until(lambda: whole(pair))
    assert load.failures == {}
    assert [part for part in both if inspect(name(pair, part))["Id"] == before[part]] == []
    assert leader(pair) == "orchestrator"
    # Nobody started what the update had ended.
    assert [told(pair, part, "part started again") for part in both] == [[], []]
    pair.expect_no_changes()


def test_leader_killed_again_and_again_under_load_loses_no_request_and_doubles_no_instance(pair: Stack):
    until(lambda: whole(pair))
    instances, seen, kills = set(pair.names("instance")), set[str](), 0
    ends = time.monotonic() + SOAK_S
    with Load(pair.port, "web.localhost", RATE) as load:
        while time.monotonic() < ends:
            docker("kill", name(pair, leader(pair)))
            kills += 1
            due = time.monotonic() + EVERY_S
            until(lambda: whole(pair), within_s=EVERY_S)
            while time.monotonic() < due:
                seen |= set(pair.names("instance"))
                time.sleep(0.2)
    print(f"{kills} kills in {SOAK_S:g} s, {load.total} requests, {load.failures or 'no'} failures")
    assert load.total > RATE * SOAK_S * 0.9
    assert load.failures == {}
    # Not one more, not one less, and none replaced.
    assert seen == instances
    pair.expect_no_changes()
