"""Stories of instances that may take more CPU until they have been ready for a while."""

from __future__ import annotations

import asyncio

from runyard.contracts import Probe, RolloutRequest, TrafficShare
from runyard.errors import HostError
from services.orchestrator.instances.decision import BOOST_S

from .world import World, container, in_world, quiet

KEY = "default/hello-1"
LIMIT, BOOSTED = 50_000, 200_000
BOOST = container(cpu_millis=500, startup_cpu_millis=2000, readiness_probe=Probe(kind="tcp", period_s=1))
ROLLOUT = RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 20, min_instances=1)


async def started(world: World) -> str:
    """Bring a service to serving, and give its one container."""
    world.add("hello-1", BOOST)
    await asyncio.wait_for(world.roll_out(ROLLOUT), 5)
    (made,) = world.engine.clones("running")
    return made


def quota(world: World, made: str) -> int:
    return int(world.engine.containers[made]["HostConfig"]["CpuQuota"])


def changing(world: World) -> list[tuple[str, str]]:
    return [call for call in world.engine.calls if call[0] in ("update", "stop", "remove")]


@in_world
async def test_boost_ends_ten_seconds_after_the_instance_was_ready_and_it_serves_on(world: World) -> None:
    made = await started(world)
    addresses = world.gateway.addresses(KEY)
    await world.pass_time(BOOST_S - 1)
    assert quota(world, made) == BOOSTED
    await world.pass_time(2)
    assert quota(world, made) == LIMIT
    await world.pass_time(60)
    assert changing(world) == [("update", made)]
    assert world.gateway.addresses(KEY) == addresses != ()
    assert world.orchestrator.status().in_step


@in_world
async def test_boost_lasts_while_the_instance_is_not_ready_again(world: World) -> None:
    made = await started(world)
    world.attempts.default = "connection refused"
    await world.pass_time(60)
    assert quota(world, made) == BOOSTED
    world.attempts.default = ""
    await world.pass_time(BOOST_S + 2)
    assert quota(world, made) == LIMIT


@in_world
async def test_engine_that_cannot_end_it_is_asked_again_and_the_instance_serves(world: World) -> None:
    made = await started(world)
    world.engine.errors["update"] = HostError("update: no")
    await world.pass_time(BOOST_S + 3)
    assert (quota(world, made), len(world.gateway.addresses(KEY))) == (BOOSTED, 1)
    assert "operation failed" in world.journal.events()
    del world.engine.errors["update"]
    await world.pass_time(3)
    assert quota(world, made) == LIMIT


@in_world
async def test_container_without_a_boost_beside_one_keeps_its_cpu_untouched(world: World) -> None:
    world.add("hello-1", BOOST, container("side", cpu_millis=250))
    await asyncio.wait_for(world.roll_out(ROLLOUT), 5)
    by_name = {world.engine.containers[each]["Name"].split(".")[4]: each for each in world.engine.clones("running")}
    assert quota(world, by_name["side"]) == 25_000
    await world.pass_time(BOOST_S + 2)
    assert (quota(world, by_name["app"]), quota(world, by_name["side"])) == (LIMIT, 25_000)
    assert changing(world) == [("update", by_name["app"])]


@in_world
async def test_boost_of_an_instance_that_is_gone_by_then_ends_with_it(world: World) -> None:
    made = await started(world)
    await world.pass_time(BOOST_S - 1)
    world.engine.containers.pop(made)
    world.engine.tell("destroy", made)
    await world.pass_time(5)
    (other,) = world.engine.clones("running")
    assert (other != made, quota(world, other)) == (True, BOOSTED)
    assert ("update", made) not in changing(world)
    await world.pass_time(BOOST_S + 2)
    assert quota(world, other) == LIMIT


@in_world
async def test_limit_that_is_neither_is_an_edit(world: World) -> None:
    made = await started(world)
    world.engine.containers[made]["HostConfig"]["CpuQuota"] = 1
    world.engine.tell("update", made)
    await quiet()
    await world.pass_time(5)
    assert made not in world.engine.clones("running")
    assert len(world.engine.clones("running")) == 1
