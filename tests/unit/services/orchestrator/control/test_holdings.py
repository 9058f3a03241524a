from __future__ import annotations

import asyncio
from dataclasses import replace

from runyard import names
from runyard.contracts import RollbackRequest, RouteRequest, ServiceHolding, TrafficShare, encode

from ..test_orchestrator import PORTLESS, rollout
from ..world import World, in_world, quiet

HISTORY = ("hello-2", "hello-1")


def holding(world: World) -> ServiceHolding:
    (found,) = world.orchestrator.holdings().services
    return found


@in_world
async def test_service_is_settled_while_every_revision_with_traffic_is_ready(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    assert holding(world).settled
    world.attempts.default = PORTLESS
    world.engine.die(world.engine.clones()[0], 1)
    await quiet()
    assert not holding(world).settled


@in_world
async def test_service_without_instances_on_purpose_is_settled(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(rollout(manual_instances=0)), 5)
    assert holding(world).settled


@in_world
async def test_service_whose_rollout_is_under_way_is_not_settled_and_holds_what_it_had(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    before = holding(world)
    world.add("hello-2")
    world.attempts.default = PORTLESS
    task = asyncio.create_task(world.roll_out(rollout(("hello-2", 100))))
    await quiet()
    now = holding(world)
    assert (now.settled, now.goal, now.rollout) == (False, before.goal, before.rollout)
    task.cancel()


@in_world
async def test_documents_that_were_put_are_held_before_anything_is_in_force(world: World) -> None:
    made = world.add()
    world.attempts.default = PORTLESS
    task = asyncio.create_task(world.roll_out(rollout()))
    await quiet()
    assert holding(world) == ServiceHolding(
        "default", "hello", documents={"hello-1": names.digest(encode(made))}, settled=False
    )
    task.cancel()


@in_world
async def test_rollback_differs_from_what_the_update_put(world: World) -> None:
    for name in reversed(HISTORY):
        world.add(name)
    put = rollout(("hello-2", 100), history=HISTORY)
    await asyncio.wait_for(world.roll_out(put), 5)
    assert holding(world).rollout == names.digest(encode(put))
    await world.orchestrator.roll_back(RollbackRequest("default", "hello", "hello-1"))
    assert holding(world).rollout != names.digest(encode(put))
    assert holding(world).goal == (TrafficShare("hello-1", 100),)


@in_world
async def test_goal_is_that_of_a_shift_on_its_way(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    world.add("hello-2")
    moving = rollout(("hello-2", 100), duration_s=99)
    await asyncio.wait_for(world.roll_out(moving), 5)
    assert (holding(world).goal, holding(world).rollout) == (moving.traffic, names.digest(encode(moving)))


@in_world
async def test_route_that_lost_a_host_to_another_service_differs_from_what_was_put(world: World) -> None:
    world.add()
    world.add("other-1", service="other")
    route = RouteRequest("default", "hello", ("shop.localhost",))
    await asyncio.wait_for(world.roll_out(rollout(), route), 5)
    assert holding(world).route == names.digest(encode(route))
    other = replace(rollout(("other-1", 100)), service="other")
    await asyncio.wait_for(world.roll_out(other, RouteRequest("default", "other", ("shop.localhost",))), 5)
    assert world.orchestrator.holdings().services[0].route != names.digest(encode(route))
