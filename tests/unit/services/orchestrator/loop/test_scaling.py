"""The scaling loop in the orchestrator: what the gateway tells becomes instances, and what it does not tell nothing."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from runyard import names
from runyard.contracts import RolloutRequest, ScalingDocument, TrafficShare
from services.orchestrator.loop.scaling import CALM_S, READ_S

from ..world import STACK, World, in_world, quiet

KEY = "default/hello-1"
WINDOW_S = 6


def rollout(**fields: int) -> RolloutRequest:
    return RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 20, **fields)


async def served(world: World, **fields: int) -> None:
    world.add("hello-1", scaling=ScalingDocument(window_s=WINDOW_S), concurrency=10)
    await asyncio.wait_for(world.roll_out(rollout(**fields)), 5)


async def asleep(world: World) -> None:
    await served(world)
    await world.pass_time(WINDOW_S + 6)
    assert world.engine.clones() == []


async def loaded(world: World, seconds: float, in_flight: int, *, also: Mapping[str, int] | None = None) -> None:
    """Let time pass with so many requests in flight, which the gateway tells whenever it is asked."""
    for _ in range(round(seconds / READ_S)):
        for key, load in {KEY: in_flight, **(also or {})}.items():
            told = world.gateway.loads.get(key)
            arrivals, served_ms = (told.arrivals, told.request_ms) if told else (0, 0)
            world.gateway.tell(key, load, 0, arrivals + load, served_ms + round(load * READ_S * 1000))
        await world.pass_time(READ_S)


@in_world
async def test_new_revision_is_proved_then_sleeps_and_its_gateway_waits_for_its_start(world: World) -> None:
    await served(world)
    assert len(world.engine.clones("running")) == 1
    assert world.gateway.last.endpoints[KEY].start_timeout_s == 240
    await world.pass_time(WINDOW_S + 6)
    assert world.engine.clones() == []
    assert world.gateway.addresses(KEY) == ()


@in_world
async def test_wake_starts_an_instance_without_waiting_for_any_tick(world: World) -> None:
    await asleep(world)
    world.orchestrator.hear(KEY)
    await quiet()
    assert len(world.gateway.addresses(KEY)) == 1


@in_world
async def test_sleeping_service_is_in_order_and_a_rollout_of_the_same_wakes_nothing(world: World) -> None:
    await asleep(world)
    assert world.orchestrator.holdings().services[0].settled
    assert world.orchestrator.status().problems == ()
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    await world.pass_time(3)
    assert world.engine.clones() == []


@in_world
async def test_rollback_to_a_sleeping_revision_starts_it_before_it_gets_traffic(world: World) -> None:
    await served(world)
    world.add("hello-2", scaling=ScalingDocument(window_s=WINDOW_S), concurrency=10)
    moved = RolloutRequest("default", "hello", (TrafficShare("hello-2", 100),), 20, history=("hello-2", "hello-1"))
    await asyncio.wait_for(world.roll_out(moved), 5)
    await world.pass_time(90)
    assert world.engine.clones() == []
    sent = len(world.gateway.sent)
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    first = next(
        each for each in world.gateway.sent[sent:] if each.services["default/hello"].traffic[0].revision == "hello-1"
    )
    assert len(first.endpoints[KEY].addresses) == 1


@in_world
async def test_load_scales_out_and_in_again(world: World) -> None:
    await served(world)
    await loaded(world, 4, in_flight=35)
    assert len(world.gateway.addresses(KEY)) >= 4
    await loaded(world, READ_S, in_flight=0)
    await world.pass_time(60)
    assert world.engine.clones() == []


@in_world
async def test_nothing_is_decided_while_the_engine_does_not_answer(world: World) -> None:
    await asleep(world)
    world.engine.away = True
    await world.pass_time(6)
    world.orchestrator.hear(KEY)
    await loaded(world, 2, in_flight=50)
    assert world.parts.autoscaler.scaled == {KEY: 0}
    world.engine.away = False
    await world.pass_time(1)
    world.orchestrator.hear(KEY)
    await quiet()
    assert len(world.engine.clones("running")) == 1


@in_world
async def test_gateway_that_is_away_holds_what_runs_and_says_it_once(world: World) -> None:
    await served(world)
    world.gateway.away = True
    await world.pass_time(60)
    assert len(world.engine.clones("running")) == 1
    assert world.journal.events().count("load unknown") == 1
    world.gateway.away = False
    await world.pass_time(3)
    assert world.journal.events().count("load known") == 1
    assert len(world.engine.clones("running")) == 1


def test_restarted_orchestrator_keeps_what_runs_and_lets_sleep_what_sleeps(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
            await loaded(world, 4, in_flight=35)
            running = world.engine.clones("running")
            assert len(running) >= 4
        world.gateway.tell(KEY)
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            await again.pass_time(WINDOW_S - 1)
            assert again.engine.clones("running") == running
            await again.pass_time(60)
            assert again.engine.clones() == []
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x300) as third:
            await third.pass_time(30)
            assert third.engine.clones() == []

    asyncio.run(whole())


@in_world
async def test_decisions_are_told_with_numbers(world: World) -> None:
    await asleep(world)
    world.orchestrator.hear(KEY)
    await quiet()
    made = world.orchestrator.decisions().decisions
    assert {(each.tenant, each.service, each.revision) for each in made} == {("default", "hello", "hello-1")}
    assert [(each.before, each.count, each.why) for each in made[1:]] == [(1, 0, "fewer"), (0, 1, "woken")]
    assert made[-1].reason == "a request waits for it: it starts 1"
    assert made[1].inputs["idle_s"] == pytest.approx(WINDOW_S, abs=2)


@in_world
async def test_status_tells_what_sleeps_and_what_is_awake(world: World) -> None:
    await asleep(world)
    (status,) = world.orchestrator.status().revisions
    assert (status.asleep, status.desired, status.ready, status.reason) == (True, 0, 0, "")
    world.orchestrator.hear(KEY)
    await quiet()
    (status,) = world.orchestrator.status().revisions
    assert (status.asleep, status.desired, status.ready) == (False, 1, 1)


@in_world
async def test_service_that_is_stopped_by_hand_is_not_asleep(world: World) -> None:
    await served(world, manual_instances=0)
    world.orchestrator.hear(KEY)
    await world.pass_time(3)
    (status,) = world.orchestrator.status().revisions
    assert (status.desired, status.asleep, world.engine.clones()) == (0, False, [])


@in_world
async def test_shortage_of_the_host_is_told_and_ends(world: World) -> None:
    await served(world)
    meminfo = world.directory / "proc" / "meminfo"
    meminfo.parent.mkdir()
    meminfo.write_text("MemTotal: 1024000 kB\nMemAvailable: 1024 kB\n")
    await world.pass_time(2)
    assert world.orchestrator.status().problems == (
        "the host is short of memory: 1 of 1000 MiB are available: "
        "tenants share what it has, and none is added but for services that have none",
    )
    await loaded(world, 4, in_flight=35)
    assert len(world.engine.clones("running")) == 1
    meminfo.write_text("MemTotal: 1024000 kB\nMemAvailable: 512000 kB\n")
    # What was given back for others is not at once taken again.
    await loaded(world, CALM_S - 10, in_flight=35)
    assert len(world.engine.clones("running")) == 1
    await loaded(world, 14, in_flight=35)
    assert len(world.engine.clones("running")) > 1
    assert [each for each in world.journal.events() if each.startswith("host")] == ["host short", "host has room"]


@in_world
async def test_instance_with_requests_outlives_an_idle_one_when_load_falls(world: World) -> None:
    world.add("hello-1", scaling=ScalingDocument(window_s=WINDOW_S), concurrency=10)
    await asyncio.wait_for(world.roll_out(rollout(min_instances=2)), 5)
    world.gateway.flying = {"10.130.0.3": 2}
    await asyncio.wait_for(world.roll_out(rollout(min_instances=1)), 5)
    await world.pass_time(20)
    assert world.gateway.addresses(KEY) == ("10.130.0.3:8080",)


@in_world
async def test_gateway_that_does_not_say_what_is_in_flight_keeps_nothing_from_going_or_coming(world: World) -> None:
    await served(world, min_instances=3)
    world.gateway.hanging = True
    await asyncio.wait_for(world.roll_out(rollout(min_instances=1)), 5)
    await world.pass_time(20)
    assert len(world.gateway.addresses(KEY)) == 1


@in_world
async def test_full_host_moves_instances_from_one_tenant_to_another_by_their_quotas(world: World) -> None:
    scaling = ScalingDocument(window_s=WINDOW_S)
    world.parts.claim.put(json.dumps({"stack": STACK, "quotas": {"default": {"memory": 100}, "shop": {"memory": 300}}}))
    world.add("hello-1", scaling=scaling, concurrency=10)
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    world.add("web-1", scaling=scaling, concurrency=10, tenant="shop", service="web")
    web = RolloutRequest("shop", "web", (TrafficShare("web-1", 100),), 20)
    await asyncio.wait_for(world.roll_out(web), 5)
    await loaded(world, 8, 55, also={"shop/web-1": 3})
    assert count(world) == {"default": 8, "shop": 1}
    meminfo = world.directory / "proc" / "meminfo"
    meminfo.parent.mkdir()
    meminfo.write_text("MemTotal: 1024000 kB\nMemAvailable: 1024 kB\n")
    await loaded(world, 2, 55, also={"shop/web-1": 3})
    assert count(world) == {"default": 8, "shop": 1}
    await loaded(world, 20, 55, also={"shop/web-1": 55})
    assert count(world) == {"default": 3, "shop": 1}
    meminfo.write_text("MemTotal: 1024000 kB\nMemAvailable: 512000 kB\n")
    await loaded(world, 20, 55, also={"shop/web-1": 55})
    assert count(world) == {"default": 3, "shop": 6}
    (told, *_) = [each for each in world.orchestrator.decisions().decisions[::-1] if each.tenant == "shop"]
    assert told.why == "share"


def count(world: World) -> dict[str, int]:
    tenants = [
        world.engine.containers[each]["Config"]["Labels"][names.TENANT] for each in world.engine.clones("running")
    ]
    return dict(Counter(sorted(tenants)))
