"""Instances that have init containers and volumes, from their making to their end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from runyard import names
from runyard.contracts import VolumeDocument, VolumeMount
from runyard.errors import HostError

from .test_identity import lost
from .test_orchestrator import KEY, failing, rollout
from .world import World, container, in_world, quiet

WORK, DATA = VolumeDocument("work", "shared", 10), VolumeDocument("data", "persistent", 20)
SHARING = {
    "init_containers": (container("first"), container("second")),
    "volumes": (WORK,),
}
DATA_NAME = "runyard.test.volume.default.data"
SHARER = container(volume_mounts=(VolumeMount("work", "/work"), VolumeMount("work", "/part", sub_path="part")))


def keeping(**fields: Any) -> dict[str, Any]:
    return {"volumes": (DATA,), **fields}


WRITER = container(volume_mounts=(VolumeMount("data", "/data"),))


def states(world: World) -> dict[str, str]:
    """Give the state of each container by its name in the document."""
    found = (world.engine.containers[each] for each in world.engine.clones())
    return {each["Config"]["Labels"][names.CONTAINER]: each["State"]["Status"] for each in found}


def named(world: World, name: str) -> str:
    (found,) = [
        each
        for each in world.engine.clones()
        if world.engine.containers[each]["Config"]["Labels"][names.CONTAINER] == name
    ]
    return found


def revisions(world: World) -> list[str]:
    """Name the revisions that have an instance now."""
    return sorted({world.engine.containers[each]["Config"]["Labels"][names.REVISION] for each in world.engine.clones()})


async def begin(world: World, *containers: Any, **fields: Any) -> asyncio.Task[None]:
    """Begin a rollout of hello-1 with volumes, and let it come as far as it can."""
    world.add("hello-1", *containers, **fields)
    task = asyncio.create_task(world.roll_out(rollout()))
    await world.pass_time(0.5)
    return task


@in_world
async def test_init_containers_run_one_after_another_before_the_others_start(world: World) -> None:
    task = await begin(world, SHARER, **SHARING)
    assert states(world) == {
        "_holder": "running",
        "_preparer": "exited",
        "_parts": "running",
        "first": "running",
        "second": "created",
        "app": "created",
    }
    world.engine.die(named(world, "first"), 0)
    await world.pass_time(0.5)
    assert (states(world)["second"], states(world)["app"]) == ("running", "created")
    assert world.gateway.addresses(KEY) == ()
    world.engine.die(named(world, "second"), 0)
    await asyncio.wait_for(task, 5)
    assert states(world)["app"] == "running"
    assert world.gateway.addresses(KEY) == ("10.130.0.2:8080",)
    host = world.engine.containers[named(world, "app")]["HostConfig"]
    assert host["NetworkMode"] == f"container:{named(world, '_holder')}"
    assert world.orchestrator.holdings().strangers == ()


@in_world
async def test_failing_init_container_fails_the_rollout_with_its_name_code_and_last_lines(world: World) -> None:
    world.engine.ends |= {"first": 0, "second": 7}
    world.engine.output |= {"first": ("all well",), "second": ("no database",)}
    world.add("hello-1", SHARER, **SHARING)
    error = await failing(world, world.roll_out(rollout()))
    assert "init container second: exited with code 7 (3 times)" in str(error)
    assert getattr(error, "logs", ())[0] == "no database"
    await world.pass_time(3)
    assert (world.engine.clones(), world.engine.volumes) == ([], {})


@in_world
async def test_init_containers_that_were_pruned_after_their_work_are_not_missed(world: World) -> None:
    world.engine.ends |= {"first": 0, "second": 0}
    await asyncio.wait_for(await begin(world, SHARER, **SHARING), 5)
    before = world.gateway.addresses(KEY)
    for each in world.engine.clones("exited"):
        world.engine.containers.pop(each)
        world.engine.tell("destroy", each)
    await world.pass_time(6)
    assert world.gateway.addresses(KEY) == before
    assert states(world) == {"_holder": "running", "_parts": "running", "app": "running"}


@in_world
async def test_container_that_was_pruned_before_its_work_ends_the_instance(world: World) -> None:
    await begin(world, SHARER, **SHARING)
    before = named(world, "_holder")
    gone = named(world, "second")
    world.engine.containers.pop(gone)
    world.engine.tell("destroy", gone)
    await world.pass_time(0.5)
    assert named(world, "_holder") != before


@in_world
async def test_holder_that_ends_takes_its_instance_along(world: World) -> None:
    world.engine.ends |= {"first": 0, "second": 0}
    await asyncio.wait_for(await begin(world, SHARER, **SHARING), 5)
    world.engine.die(named(world, "_parts"), 137)
    await world.pass_time(0.5)
    assert world.orchestrator.status().revisions[0].reason == "helper _parts: exited with code 137"
    assert world.gateway.addresses(KEY) == ("10.130.0.3:8080",)


@in_world
async def test_volumes_of_an_instance_carry_its_labels_and_go_with_it(world: World) -> None:
    world.engine.ends |= {"first": 0, "second": 0}
    await asyncio.wait_for(await begin(world, SHARER, **SHARING), 5)
    whole, part = sorted(world.engine.volumes)
    assert whole == "runyard.test.default.hello-1.work.101"
    assert world.engine.volumes[whole]["Options"] == {
        "type": "tmpfs",
        "device": "tmpfs",
        "o": "size=10,mode=1777,nosuid,nodev",
    }
    assert world.engine.volumes[part]["Options"] == {"type": "none", "o": "bind", "device": f"/engine/{whole}/part"}
    labels = world.engine.volumes[part]["Labels"]
    assert (labels[names.STACK], labels[names.ROLE], labels[names.INSTANCE]) == ("test", "scratch", "101")
    await world.orchestrator.delete_service("default", "hello")
    await world.pass_time(5)
    assert (world.engine.clones(), world.engine.volumes, world.parts.tools.book.spent) == ([], {}, {})


def test_volumes_that_a_kill_left_are_removed_by_the_next_one(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.engine.ends |= {"first": 0, "second": 0}
            world.engine.volumes["runyard.test.default.hello-1.work.77"] = {"Name": "another's"}
            await asyncio.wait_for(await begin(world, SHARER, **SHARING), 5)
            world.engine.errors["remove_volume"] = HostError("remove volume: the engine is busy")
            await world.orchestrator.delete_service("default", "hello")
            await world.pass_time(5)
            assert (world.engine.clones(), len(world.engine.volumes)) == ([], 3)
            assert "volume left" in world.journal.events()
        del world.engine.errors["remove_volume"]
        async with World(tmp_path, world.engine, world.gateway) as again:
            await again.pass_time(3)
            assert list(again.engine.volumes) == ["runyard.test.default.hello-1.work.77"]

    asyncio.run(whole())


def test_making_that_a_kill_cut_off_between_two_init_containers_goes_on(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            task = await begin(world, SHARER, **SHARING)
            before = world.engine.clones()
            task.cancel()
        world.engine.containers[named(world, "first")]["State"] = {"Status": "exited", "ExitCode": 0}
        world.engine.ends["second"] = 0
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            again.documents = world.documents
            await asyncio.wait_for(again.roll_out(rollout()), 5)
            assert again.engine.clones() == before
            assert states(again)["app"] == "running"

    asyncio.run(whole())


def test_lost_book_takes_over_instances_with_helpers_and_their_volumes(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.engine.ends |= {"first": 0, "second": 0}
            app = container(volume_mounts=(*SHARER.volume_mounts, *WRITER.volume_mounts))
            await asyncio.wait_for(await begin(world, app, **{**SHARING, "volumes": (WORK, DATA)}), 5)
        lost(tmp_path)
        # What has ended may have been pruned meanwhile.
        world.engine.containers.pop(named(world, "first"))
        before = world.engine.clones()
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            again.documents = world.documents
            await asyncio.wait_for(again.roll_out(rollout()), 5)
            await again.pass_time(3)
            assert again.engine.clones() == before
            assert again.orchestrator.status().problems == ()
            await again.orchestrator.delete_service("default", "hello")
            await again.pass_time(5)
            assert (again.engine.clones(), list(again.engine.volumes)) == ([], [DATA_NAME])

    asyncio.run(whole())


@in_world
async def test_persistent_volume_is_the_tenants_and_stays(world: World) -> None:
    await asyncio.wait_for(await begin(world, WRITER, **keeping()), 5)
    made = world.engine.volumes[DATA_NAME]
    assert made["Labels"] == {names.STACK: "test", names.TENANT: "default", names.ROLE: "data"}
    assert [state for name, state in states(world).items()] == ["exited", "running"]
    preparer = world.engine.containers[named(world, "_preparer")]["HostConfig"]
    assert (preparer["CapAdd"], preparer["NetworkMode"]) == (["CAP_DAC_OVERRIDE"], "none")
    await world.orchestrator.delete_service("default", "hello")
    await world.pass_time(5)
    assert (world.engine.clones(), list(world.engine.volumes)) == ([], [DATA_NAME])


@in_world
async def test_volume_of_somebody_else_is_not_mounted(world: World) -> None:
    world.engine.volumes[DATA_NAME] = {"Name": DATA_NAME, "Labels": None, "Options": {"o": "bind"}, "Mountpoint": "/"}
    world.add("hello-1", WRITER, **keeping())
    error = await failing(world, world.roll_out(rollout()))
    assert f"volume {DATA_NAME}: is there already and is not of this stack's making" in str(error)


@in_world
async def test_old_writer_is_gone_before_the_new_one_is_made(world: World) -> None:
    await asyncio.wait_for(await begin(world, WRITER, **keeping()), 5)
    world.add("hello-2", WRITER, **keeping())
    world.gateway.flying["10.130.0.2"] = 1
    task = asyncio.create_task(world.roll_out(rollout(("hello-2", 100))))
    await world.pass_time(1)
    # It still has a request to end.
    assert revisions(world) == ["hello-1"]
    assert world.gateway.addresses(KEY) == ()
    world.gateway.flying.clear()
    await world.pass_time(1)
    await asyncio.wait_for(task, 5)
    assert revisions(world) == ["hello-2"]
    removed = max(number for number, call in enumerate(world.engine.calls) if call[0] == "remove")
    created = max(number for number, call in enumerate(world.engine.calls) if call[0] == "create")
    assert removed < created


@in_world
async def test_old_writer_is_started_again_when_the_new_one_fails(world: World) -> None:
    await asyncio.wait_for(await begin(world, WRITER, **keeping()), 5)
    world.engine.exits_at_once["hello-2"] = 9
    world.add("hello-2", WRITER, **keeping())
    await failing(world, world.roll_out(rollout(("hello-2", 100))))
    await world.pass_time(3)
    assert revisions(world) == ["hello-1"]
    assert len(world.gateway.addresses(KEY)) == 1
    assert world.gateway.last.services["default/hello"].traffic[0].revision == "hello-1"


@in_world
async def test_stranger_that_has_the_volume_keeps_another_writer_from_it(world: World) -> None:
    mount = {"Type": "volume", "Source": DATA_NAME, "Target": "/data", "ReadOnly": False}
    stranger = world.engine.add("somebody", {"Labels": {}, "HostConfig": {"Mounts": [mount]}})
    world.engine.containers[stranger]["State"]["Status"] = "running"
    world.add("hello-1", WRITER, **keeping())
    error = await failing(world, world.roll_out(rollout()))
    assert f"volume {DATA_NAME}: has one writer, and container somebody has it" in str(error)


@in_world
async def test_edited_writer_is_replaced_although_nobody_can_serve_meanwhile(world: World) -> None:
    await asyncio.wait_for(await begin(world, WRITER, **keeping()), 5)
    app = named(world, "app")
    world.engine.containers[app]["HostConfig"]["Memory"] = 1
    world.engine.tell("update", app)
    await quiet()
    await world.pass_time(2)
    assert named(world, "app") != app
    assert len(world.gateway.addresses(KEY)) == 1


@in_world
async def test_many_wanted_instances_of_a_writer_are_one(world: World) -> None:
    world.add("hello-1", WRITER, **keeping(min_instances=3))
    await asyncio.wait_for(world.roll_out(rollout(manual_instances=2)), 5)
    assert sorted(states(world)) == ["_preparer", "app"]
