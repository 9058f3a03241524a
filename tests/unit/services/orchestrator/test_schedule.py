"""Schedules as the orchestrator keeps to them: instances before the load comes, and why, over restarts and rollouts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.contracts import RolloutRequest, ScalingDocument, ScheduledMinimum, ScheduleStatus, ServiceStatus
from runyard.errors import UsageError
from runyard.scaling.schedule import parse_schedule

from .test_orchestrator import KEY, rollout
from .world import World, in_world, quiet

# The world begins 1,000 s after midnight, at 00:16:40.
TWENTY = "3 at 20 0 * * *; 0 at 30 0 * * *"


def scheduled(text: str, *shares: tuple[str, int], **fields: object) -> RolloutRequest:
    return replace(rollout(*(shares or (("hello-1", 100),))), schedule=parse_schedule(text), **fields)


def count(world: World, key: str = KEY) -> int:
    return len(world.gateway.addresses(key))


def service(world: World) -> ServiceStatus:
    (found,) = world.orchestrator.services().services
    return found


async def until(world: World, unix_s: float) -> None:
    await world.pass_time(unix_s - world.clock.now)


@in_world
async def test_instances_are_there_from_the_minute_on_and_go_when_the_next_entry_holds(world: World) -> None:
    world.add(scaling=ScalingDocument(window_s=6))
    await asyncio.wait_for(world.roll_out(scheduled(TWENTY)), 5)
    await until(world, 1199.9)
    assert (count(world), service(world).schedule) == (0, ScheduleStatus(0, -84600, 1200, 3))
    await until(world, 1201)
    assert (count(world), service(world).schedule) == (3, ScheduleStatus(3, 1200, 1800, 0))
    made = world.orchestrator.decisions().decisions[-1]
    assert (made.before, made.count, made.why, made.inputs) == (0, 3, "schedule", {"asked": 3, "percent": 100})
    assert made.reason == (
        "its schedule asks for at least 3 of the service since 1970-01-01 00:20:00Z until 1970-01-01 00:30:00Z"
    )
    # Nobody calls it, and it keeps them all the same.
    await until(world, 1799)
    assert count(world) == 3
    await until(world, 1830)
    assert count(world) == 0


@in_world
async def test_rollout_brings_what_the_schedule_asks_for_before_its_traffic_moves(world: World) -> None:
    world.add("hello-1")
    await asyncio.wait_for(world.roll_out(scheduled("2 at 0 0 * * *")), 5)
    assert count(world) == 2
    world.add("hello-2")
    await asyncio.wait_for(world.roll_out(scheduled("4 at 0 0 * * *", ("hello-2", 100))), 5)
    assert count(world, "default/hello-2") == 4
    assert world.parts.rollouts.in_force["default/hello"].min_instances == 0


@in_world
async def test_schedule_is_parted_by_share_and_gives_way_to_a_number_by_hand(world: World) -> None:
    for name in ("hello-1", "hello-2"):
        world.add(name)
    await asyncio.wait_for(world.roll_out(scheduled("4 at 0 0 * * *", ("hello-1", 75), ("hello-2", 25))), 5)
    assert (count(world), count(world, "default/hello-2")) == (3, 1)
    await asyncio.wait_for(
        world.roll_out(scheduled("4 at 0 0 * * *", ("hello-1", 75), ("hello-2", 25), manual_instances=0)), 5
    )
    await world.pass_time(20)
    assert (count(world), count(world, "default/hello-2")) == (0, 0)


def test_restarted_orchestrator_keeps_to_the_schedule(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add()
            await asyncio.wait_for(world.roll_out(scheduled("2 at 0 0 * * *")), 5)
        again = World(tmp_path, world.engine, world.gateway, boot_ms=0x9000)
        again.clock.now = world.clock.now
        async with again:
            await quiet()
            await again.pass_time(100)
            assert (count(again), len(again.engine.clones())) == (2, 2)

    asyncio.run(whole())


@in_world
async def test_schedule_in_a_zone_that_is_not_known_here_is_refused(world: World) -> None:
    world.add()
    asked = replace(rollout(("hello-1", 100)), schedule=(ScheduledMinimum(1, "0 0 * * *", "Mars/Phobos"),))
    with pytest.raises(UsageError) as caught:
        world.orchestrator.put_service(world.request(asked))
    assert str(caught.value) == (
        "rollout default/hello: schedule: must be a zone of the tz database such as UTC or Europe/Berlin, "
        "got 'Mars/Phobos'"
    )


@in_world
async def test_zone_that_went_leaves_what_else_is_asked_for_and_is_told(world: World) -> None:
    world.add(min_instances=1)
    await asyncio.wait_for(world.roll_out(scheduled("2 at 0 0 * * *")), 5)
    held = world.parts.rollouts.in_force["default/hello"]
    lost = replace(held, schedule=(ScheduledMinimum(2, "0 0 * * *", "Mars/Phobos"),))
    world.parts.store.put_rollout(lost)
    await world.pass_time(90)
    assert count(world) == 1
    assert world.journal.events().count("schedule not kept") == 1
