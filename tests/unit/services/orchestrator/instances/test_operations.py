"""Operations that the orchestrator's own tests do not reach: sidecars, broken removals, lost logs."""

from __future__ import annotations

import asyncio

from runyard import names
from runyard.contracts import Probe, RolloutRequest, TrafficShare, Variable
from runyard.errors import Conflict, HostError

from ..world import World, container, in_world, quiet

ROLLOUT = RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 60)


def add_pair(world: World) -> None:
    """Put an app there that waits for its database."""
    database = container("db", startup_probe=Probe(kind="tcp", port=5432))
    world.add("hello-1", container(depends_on=("db",)), database)


def states(world: World) -> dict[str, str]:
    return {
        each["Config"]["Labels"][names.CONTAINER]: each["State"]["Status"]
        for each in map(world.engine.containers.__getitem__, world.engine.clones())
    }


@in_world
async def test_app_starts_only_after_its_database_has_started(world: World) -> None:
    add_pair(world)
    world.attempts.default = "tcp :5432: connection refused"
    rolling = asyncio.create_task(world.roll_out(ROLLOUT))
    await world.pass_time(2)
    assert states(world) == {"db": "running", "app": "created"}
    world.attempts.default = ""
    await world.pass_time(3)
    assert states(world) == {"db": "running", "app": "running"}
    await asyncio.wait_for(rolling, 5)


@in_world
async def test_sidecar_that_ends_takes_the_whole_instance_with_it(world: World) -> None:
    add_pair(world)
    await asyncio.wait_for(world.roll_out(ROLLOUT), 5)
    before = world.engine.clones()
    database = next(each for each in before if ".db." in world.engine.containers[each]["Name"])
    world.engine.die(database, 1)
    await quiet()
    assert len(world.engine.clones("running")) == 2
    assert not set(before) & set(world.engine.clones())


@in_world
async def test_container_that_cannot_be_started_later_takes_the_instance_with_it(world: World) -> None:
    add_pair(world)
    world.attempts.default = "tcp :5432: connection refused"
    rolling = asyncio.create_task(world.roll_out(ROLLOUT))
    await world.pass_time(2)
    first = world.engine.clones()
    world.attempts.default = ""
    world.engine.errors["start"] = HostError("start container x: no space left on device")
    await world.pass_time(0.9)
    world.engine.errors.clear()
    await world.pass_time(10)
    await asyncio.wait_for(rolling, 5)
    assert not set(first) & set(world.engine.clones())
    assert states(world) == {"db": "running", "app": "running"}


@in_world
async def test_start_that_failed_waits_its_turn_before_the_next_try(world: World) -> None:
    world.add()
    world.engine.errors["start"] = HostError("start container x: no space left on device")
    rolling = asyncio.create_task(world.roll_out(ROLLOUT))
    await world.pass_time(0.9)
    # At once, at once again, and then not before a second has passed.
    assert [verb for verb, _ in world.engine.calls].count("create") == 2
    assert world.engine.clones() == []
    await quiet()
    rolling.cancel()


@in_world
async def test_removal_that_the_engine_refuses_is_tried_again_and_counted_once(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(ROLLOUT), 5)
    dead = world.engine.clones()[0]
    world.engine.errors["remove"] = Conflict("remove container x: device busy")
    world.engine.die(dead, 1)
    await world.pass_time(3.5)
    assert dead in world.engine.containers
    assert len(world.engine.clones("running")) == 1
    assert world.journal.events().count("instance failed") == 1
    world.engine.errors.clear()
    await world.pass_time(2)
    assert dead not in world.engine.containers
    assert world.parts.tools.failures.last()["default/hello-1"].total == 1


@in_world
async def test_log_that_cannot_be_read_says_so_in_its_place(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(ROLLOUT), 5)
    world.engine.errors["logs"] = HostError("read logs of container x: driver has none")
    world.engine.die(world.engine.clones()[0], 1)
    await quiet()
    logs = world.parts.tools.failures.last()["default/hello-1"].logs
    assert logs == ("(no log of container app: read logs of container x: driver has none)",)


@in_world
async def test_gateway_that_cannot_tell_what_is_in_flight_does_not_stop_a_drain(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(ROLLOUT), 5)
    world.gateway.away = True
    deleting = asyncio.create_task(world.orchestrator.delete_service("default", "hello"))
    await world.pass_time(15)
    await asyncio.wait_for(deleting, 5)
    assert world.engine.clones() == []
    assert "removal not confirmed" in world.journal.events()


@in_world
async def test_nothing_of_an_environment_is_ever_written_down(world: World) -> None:
    world.add("hello-1", container(environment=(Variable("TOKEN", "secret"),)))
    world.engine.exits_at_once["hello-1"] = 1
    rolling = asyncio.create_task(world.roll_out(ROLLOUT))
    await world.pass_time(10)
    assert world.journal.events() != []
    assert "secret" not in str(world.journal.entries)
    assert rolling.exception() is not None
