"""Stories of services that are frozen when nobody calls them: one instance is paused, and goes on by a request."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runyard.contracts import Probe, RolloutRequest, ScalingDocument, TrafficShare

from .world import World, container, in_world, quiet

KEY = "default/hello-1"
FREEZE = ScalingDocument(window_s=6, idle="freeze")


def rollout(**fields: int) -> RolloutRequest:
    return RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 20, **fields)


async def frozen(world: World) -> str:
    """Bring a service to serving and let it sleep, and give its one container."""
    world.add("hello-1", container(readiness_probe=Probe(kind="tcp", period_s=1)), scaling=FREEZE)
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    await world.pass_time(12)
    (paused,) = world.engine.clones()
    assert world.engine.clones("paused") == [paused]
    return paused


@in_world
async def test_idle_instance_leaves_the_gateway_before_it_is_paused(world: World) -> None:
    paused = await frozen(world)
    assert world.gateway.addresses(KEY) == ()
    assert world.engine.calls.count(("pause", paused)) == 1
    assert not [verb for verb, _ in world.engine.calls if verb in ("stop", "remove")]
    (status,) = world.orchestrator.status().revisions
    assert (status.asleep, status.ready, status.reason) == (True, 0, "")
    (listed,) = world.orchestrator.instances().instances
    assert (listed.state, listed.reason) == ("frozen", "")


@in_world
async def test_instance_with_a_request_in_flight_is_paused_when_that_has_ended(world: World) -> None:
    world.gateway.flying["10.130.0.2"] = 1
    world.add("hello-1", scaling=FREEZE)
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    await world.pass_time(20)
    assert (world.gateway.addresses(KEY), world.engine.clones("paused")) == ((), [])
    world.gateway.flying.clear()
    await world.pass_time(1)
    assert len(world.engine.clones("paused")) == 1


@in_world
async def test_request_thaws_it_without_a_probe_and_with_no_other_call_but_one_look(world: World) -> None:
    paused = await frozen(world)
    world.attempts.default = "connection refused"
    world.engine.calls.clear()
    world.orchestrator.hear(KEY)
    await quiet()
    assert world.gateway.addresses(KEY) == ("10.130.0.2:8080",)
    assert world.engine.calls == [("resume", paused), ("inspect", paused)]


@in_world
async def test_paused_instance_is_not_probed_and_probed_again_when_it_goes_on(world: World) -> None:
    await frozen(world)
    world.attempts.seen.clear()
    await world.pass_time(60)
    assert world.attempts.seen == []
    world.orchestrator.hear(KEY)
    await world.pass_time(3)
    assert len(world.attempts.seen) >= 2


@in_world
async def test_more_load_than_one_takes_thaws_the_one_and_starts_the_others(world: World) -> None:
    paused = await frozen(world)
    world.gateway.tell(KEY, waiting=200, arrivals=200)
    world.orchestrator.hear(KEY)
    await world.pass_time(0.5)
    assert paused in world.engine.clones("running")
    assert len(world.engine.clones("running")) >= 3


@in_world
async def test_of_several_one_is_frozen_and_the_others_are_removed(world: World) -> None:
    world.add("hello-1", scaling=FREEZE)
    await asyncio.wait_for(world.roll_out(rollout(min_instances=3)), 5)
    await world.pass_time(1)
    first = min(world.engine.clones())
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    await world.pass_time(30)
    assert world.engine.clones() == world.engine.clones("paused") == [first]


def test_restarted_orchestrator_lets_it_sleep_and_thaws_it_by_a_probe(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            paused = await frozen(world)
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            await again.pass_time(30)
            assert again.engine.clones("paused") == [paused]
            again.orchestrator.hear(KEY)
            await again.pass_time(0.5)
            assert again.engine.clones("running") == [paused]
            assert again.gateway.addresses(KEY) == ("10.130.0.2:8080",)
            assert again.attempts.seen != []

    asyncio.run(whole())


@in_world
async def test_service_that_is_deleted_or_stopped_by_hand_keeps_nothing_frozen(world: World) -> None:
    paused = await frozen(world)
    await asyncio.wait_for(world.roll_out(rollout(manual_instances=0)), 5)
    await world.pass_time(4)
    assert world.engine.clones() == []
    calls = [call for call in world.engine.calls if call[0] in ("resume", "stop") and call[1] == paused]
    # What is paused hears no stop signal.
    assert calls == [("resume", paused), ("stop", paused)]


@in_world
async def test_instance_that_somebody_paused_while_it_was_wanted_goes_on(world: World) -> None:
    world.add("hello-1", scaling=FREEZE)
    await asyncio.wait_for(world.roll_out(rollout(min_instances=1)), 5)
    (only,) = world.engine.clones()
    await world.engine.pause(only)
    world.engine.tell("pause", only)
    await world.pass_time(1)
    assert world.engine.clones("running") == [only]


@in_world
async def test_frozen_instance_that_dies_is_removed_and_a_request_starts_another(world: World) -> None:
    paused = await frozen(world)
    world.engine.die(paused, 137)
    await world.pass_time(2)
    assert world.engine.clones() == []
    world.orchestrator.hear(KEY)
    await world.pass_time(1)
    assert len(world.engine.clones("running")) == 1


@in_world
async def test_instance_that_is_asked_for_while_it_turns_to_sleep_serves_on(world: World) -> None:
    world.gateway.flying["10.130.0.2"] = 1
    world.add("hello-1", scaling=FREEZE)
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    await world.pass_time(20)
    assert world.gateway.addresses(KEY) == ()
    world.orchestrator.hear(KEY)
    await world.pass_time(1.2)
    assert world.gateway.addresses(KEY) == ("10.130.0.2:8080",)
    assert len(world.engine.clones()) == 1
    assert "pause" not in [verb for verb, _ in world.engine.calls]
