"""Listings of a world that is looked at in the middle of things."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import (
    ContainerOwner,
    ContainerStatus,
    EndpointStatus,
    InstanceStatus,
    Override,
    RolloutRequest,
    RouteRequest,
    ScaleRequest,
    TrafficShare,
)
from services.orchestrator.control.listing import list_services
from services.orchestrator.control.orchestrator import LARGEST_COUNT, LONGEST_OVERRIDE_S
from services.orchestrator.traffic.commitment import commit

from ..world import World, in_world

HELLO = RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 5)


async def serve(world: World, rollout: RolloutRequest = HELLO, **fields: Any) -> None:
    world.add(rollout.traffic[0].revision, service=rollout.service, tenant=rollout.tenant, **fields)
    world.orchestrator.put_service(world.request(rollout))
    await world.pass_time(2)


def instances(world: World) -> list[tuple[str, str]]:
    return [(each.state, each.reason) for each in world.orchestrator.instances().instances]


@in_world
async def test_ready_instance_has_its_place_and_no_reason(world: World) -> None:
    await serve(world)
    (found,) = world.orchestrator.instances().instances
    (container,) = world.engine.clones("running")
    held = (ContainerStatus(container, "app", 1_795_435_200_123, 1000, 64 * 1024**2, serving=True),)
    assert found == InstanceStatus(
        "default", "hello", "hello-1", found.instance, "ready", "10.130.0.2", containers=held
    )
    endpoints = world.orchestrator.endpoints().endpoints
    assert endpoints == (EndpointStatus("default", "hello", "hello-1", "http1", 1, ("10.130.0.2:8080",)),)


@in_world
async def test_instance_that_died_says_of_what_until_it_is_gone(world: World) -> None:
    await serve(world)
    seen: list[tuple[str, str]] = []
    # What removes it is held back, so that it is seen before it goes.
    (container,) = world.engine.clones("running")
    world.engine.die(container, 3)
    for _ in range(40):
        seen += instances(world)
        await asyncio.sleep(0)
    assert ("ready", "") in seen
    await world.pass_time(2)
    assert instances(world) == [("ready", "")]
    (revision,) = world.orchestrator.revisions().revisions
    assert (revision.restarts, revision.reason) == (1, "container app: exited with code 3")


@in_world
async def test_instance_that_is_drained_is_ending(world: World) -> None:
    await serve(world, min_instances=1, max_instances=3)
    world.orchestrator.scale(ScaleRequest("default", "hello", 2, 60))
    await world.pass_time(2)
    assert instances(world) == [("ready", "")] * 2
    world.gateway.flying = dict.fromkeys(("10.130.0.2", "10.130.0.3"), 1)
    world.orchestrator.scale(ScaleRequest("default", "hello", 1, 60))
    seen = set()
    for _ in range(30):
        await world.pass_time(0.1)
        seen |= {state for state, _ in instances(world)}
    assert "ending" in seen
    world.orchestrator.end_scale("default", "hello")
    assert world.orchestrator.services().overrides == ()


@in_world
async def test_instances_are_listed_by_revision_and_age(world: World) -> None:
    await serve(world, min_instances=3)
    await serve(world, RolloutRequest("default", "cart", (TrafficShare("cart-1", 100),), 5))
    listed = world.orchestrator.instances().instances
    assert [each.revision for each in listed] == ["cart-1", *["hello-1"] * 3]
    ages = [int(each.instance, 16) for each in listed[1:]]
    assert ages == sorted(ages)


@in_world
async def test_revision_without_document_is_listed_and_has_no_endpoint(world: World) -> None:
    world.parts.store.put(RouteRequest("default", "hello", ()), commit(HELLO, (), {}, 0))
    await world.pass_time(6)
    (revision,) = world.orchestrator.revisions().revisions
    assert (revision.desired, revision.reason) == (1, "it has no document")
    assert world.orchestrator.endpoints().endpoints == ()
    assert [each.service for each in world.orchestrator.services().services] == ["hello"]


@in_world
async def test_overrides_are_listed_by_service_while_they_last(world: World) -> None:
    for name in ("hello", "cart"):
        await serve(world, RolloutRequest("default", name, (TrafficShare(f"{name}-1", 100),), 5))
        world.orchestrator.scale(ScaleRequest("default", name, 1, 60 if name == "cart" else 600))
    until = int(world.clock.now)
    listed = list_services(world.parts, world.orchestrator.status()).overrides
    assert [each.service for each in listed] == ["cart", "hello"]
    assert all(isinstance(each, Override) and each.until_unix_s > until for each in listed)
    await world.pass_time(100)
    assert [each.service for each in world.orchestrator.services().overrides] == ["hello"]


@in_world
async def test_owner_of_a_container_is_told_as_the_book_has_it_and_for_a_while_after_it_is_gone(world: World) -> None:
    await serve(world)
    (container,) = world.engine.clones("running")
    (found,) = world.orchestrator.instances().instances
    owner = ContainerOwner("default", "hello", "hello-1", found.instance, "app")
    assert world.orchestrator.owners() == {container: owner}
    world.engine.die(container, 3)
    await world.pass_time(5)
    assert container not in world.engine.clones()
    assert world.orchestrator.owners()[container] == owner
    assert len(world.orchestrator.owners()) == 2


@pytest.mark.parametrize(("most", "bound"), [(0, LARGEST_COUNT), (7, 7)])
def test_number_by_hand_is_bounded_by_the_manifest_or_by_reason(tmp_path: Path, most: int, bound: int) -> None:
    async def whole(check: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        async with World(tmp_path) as world:
            await serve(world, max_instances=most)
            await check(world)

    async def check(world: World) -> None:
        with pytest.raises(Exception, match=rf"count must be from 0 to {bound}, got {bound + 1}$"):
            world.orchestrator.scale(ScaleRequest("default", "hello", bound + 1, 60))
        assert world.orchestrator.scale(ScaleRequest("default", "hello", 0, LONGEST_OVERRIDE_S)).count == 0

    asyncio.run(whole(check))
