"""Whose a container is: the book's, a lost book's, or a stranger's; and ours that were edited from outside."""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.contracts import TrafficShare

from .test_orchestrator import KEY, rollout, served
from .world import NETWORK, World, container, in_world, quiet

Json = dict[str, Any]


def forge(world: World, **changes: Any) -> str:
    """Copy a container of ours in everything but its name and the instance that its labels name."""
    original = copy.deepcopy(world.engine.containers[world.engine.clones()[0]])
    labels = {**original["Config"]["Labels"], names.INSTANCE: "7f", **changes.pop("labels", {})}
    made = {**original["Config"], "Labels": labels, "HostConfig": {**original["HostConfig"], **changes}}
    networks = {NETWORK: {"IPAMConfig": {"IPv4Address": "10.130.0.77"}}}
    name = original["Name"].lstrip("/").rsplit(".", 1)[0] + ".7f"
    forged = world.engine.add(name, {**made, "NetworkingConfig": {"EndpointsConfig": networks}})
    world.engine.containers[forged]["State"] = {"Status": "running"}
    return forged


@in_world
async def test_perfect_copy_with_our_labels_is_a_stranger_that_is_reported_and_left_alone(world: World) -> None:
    await served(world)
    forged = forge(world)
    world.engine.tell("start", forged)
    await world.pass_time(6)
    name = "runyard.test.default.hello-1.app.7f"
    assert world.orchestrator.holdings().strangers == (name,)
    assert world.orchestrator.status().problems == (
        f"container {name} has this stack's labels and is not of its making: not served, left alone",
    )
    assert world.gateway.addresses(KEY) == ("10.130.0.2:8080",)
    await world.orchestrator.delete_service("default", "hello")
    await world.pass_time(10)
    assert world.engine.clones() == [forged]
    assert ("stop", forged) not in world.engine.calls
    assert world.journal.events().count("stranger") == 1


@in_world
async def test_container_of_another_role_is_no_business_of_the_inventory(world: World) -> None:
    labels = {names.STACK: "test", names.ROLE: names.ROLE_GATEWAY}
    world.engine.add("runyard.test.gateway", {"Labels": labels, "Image": "x"})
    await served(world)
    await world.pass_time(6)
    assert world.orchestrator.holdings().strangers == ()


def lost(directory: Path) -> None:
    """Lose the orchestrator's volume."""
    for each in directory.iterdir():
        if each.name != "gateway.json":
            shutil.rmtree(each) if each.is_dir() else each.unlink()


def test_lost_book_takes_over_what_its_documents_make_once_they_are_put_again(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add("hello-1", container(), container("proxy"), min_instances=2, callees=("cart",))
            await asyncio.wait_for(world.roll_out(rollout()), 5)
        before = world.engine.clones("running")
        lost(tmp_path)
        async with World(tmp_path, world.engine, world.gateway) as again:
            await again.pass_time(10)
            assert again.engine.clones("running") == before
            assert len(again.orchestrator.status().problems) == 4
            assert again.orchestrator.holdings().strangers == ()
            again.documents = world.documents
            again.engine.calls.clear()
            await asyncio.wait_for(again.roll_out(rollout()), 5)
            assert not {"create", "start", "stop", "remove"} & {verb for verb, _ in again.engine.calls}
            assert again.engine.clones("running") == before
            assert again.gateway.addresses(KEY) == world.gateway.addresses(KEY)
            assert again.orchestrator.status().problems == ()
        # And the book has them from then on.
        async with World(tmp_path, world.engine, world.gateway) as later:
            await later.pass_time(10)
            assert later.engine.clones("running") == before
            assert later.gateway.addresses(KEY) == world.gateway.addresses(KEY)

    asyncio.run(whole())


EDITS: dict[str, Callable[[Json], None]] = {
    "image": lambda each: each.update(Image="sha256:other"),
    "name": lambda each: each.update(Name="/runyard.test.default.hello-1.app.999"),
    "command": lambda each: each["Config"].update(Cmd=["sh"]),
    "entrypoint": lambda each: each["Config"].update(Entrypoint=["sh"]),
    "environment": lambda each: each["Config"]["Env"].append("LD_PRELOAD=/tmp/x"),
    "user": lambda each: each["Config"].update(User="root"),
    "working_dir": lambda each: each["Config"].update(WorkingDir="/tmp"),
    "labels": lambda each: each["Config"]["Labels"].update(more="x"),
    "standard_input": lambda each: each["Config"].update(OpenStdin=True),
    "memory": lambda each: each["HostConfig"].update(Memory=1),
    "capabilities": lambda each: each["HostConfig"].update(CapAdd=["SYS_ADMIN"]),
    "kept_capabilities": lambda each: each["HostConfig"].update(CapDrop=[]),
    "privileged": lambda each: each["HostConfig"].update(Privileged=True),
    "namespace": lambda each: each["HostConfig"].update(PidMode="host"),
    "devices": lambda each: each["HostConfig"].update(Devices=[{"PathOnHost": "/dev/sda"}]),
    "unmasked": lambda each: each["HostConfig"].update(MaskedPaths=[]),
    "bind": lambda each: each["HostConfig"].update(Binds=["/:/host"]),
    "mount": lambda each: each["Mounts"].append({"Source": "/", "Destination": "/host", "RW": True}),
    "restart": lambda each: each["HostConfig"].update(RestartPolicy={"Name": "always"}),
    "network": lambda each: each["NetworkSettings"]["Networks"].update(bridge={}),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_lost_book_takes_over_nothing_that_differs_in_anything(tmp_path: Path, edit: Callable[[Json], None]) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
        (old,) = world.engine.clones()
        lost(tmp_path)
        edit(world.engine.containers[old])
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            again.documents = world.documents
            await asyncio.wait_for(again.roll_out(rollout()), 5)
            assert len(again.engine.clones("running")) == 2
            assert again.gateway.addresses(KEY) == ("10.130.0.3:8080",)
            await again.pass_time(10)
            assert old in again.engine.clones("running")
            assert [name.lstrip("/") for name in again.orchestrator.holdings().strangers] == [
                world.engine.containers[old]["Name"].lstrip("/")
            ]

    asyncio.run(whole())


def test_lost_book_takes_over_nothing_that_came_after_the_loss(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
        lost(tmp_path)
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            again.documents = world.documents
            forged = forge(again)
            await asyncio.wait_for(again.roll_out(rollout()), 5)
            assert again.gateway.addresses(KEY) == ("10.130.0.2:8080",)
            assert forged in again.engine.clones("running")
            assert again.orchestrator.holdings().strangers == ("runyard.test.default.hello-1.app.7f",)

    asyncio.run(whole())


def test_container_that_was_made_just_before_a_kill_is_ours(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
        (made,) = world.engine.clones()
        (file,) = (tmp_path / "instances").iterdir()
        # The engine made the container, and its answer never came to the book.
        file.write_text(file.read_text().replace(made, ""))
        world.engine.containers[made]["State"] = {"Status": "created"}
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            await again.pass_time(1)
            assert again.orchestrator.holdings().strangers == ()
            assert again.engine.clones("running") == [made]
            assert again.gateway.addresses(KEY) == ("10.130.0.2:8080",)

    asyncio.run(whole())


def test_instance_of_which_nothing_was_made_is_struck_out(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
            (entry,) = world.parts.tools.book.entries.values()
        world.engine.containers.clear()
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            await quiet()
            assert entry.instance not in again.parts.tools.book.entries
            # Nothing runs of it, so it sleeps until somebody asks for it.
            assert again.engine.clones() == []
            again.orchestrator.hear(KEY)
            await quiet()
            assert len(again.engine.clones("running")) == 1

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (
            lambda each: each["HostConfig"].update(Memory=2**30),
            "container app: was edited: Memory is 1073741824 and must be 67108864",
        ),
        (
            lambda each: each["HostConfig"].update(CpuShares=2),
            "container app: was edited: CpuShares is 2 and must be 0",
        ),
        (
            lambda each: each["HostConfig"].update(RestartPolicy={"Name": "always"}),
            "container app: was edited: RestartPolicy is always and must be no",
        ),
        (lambda each: each.update(Name="/mine"), "container app: was renamed to mine"),
        (
            lambda each: each["NetworkSettings"]["Networks"].update(bridge={}),
            f"container app: is on bridge (), {NETWORK} (10.130.0.2) and must be on {NETWORK} (10.130.0.2)",
        ),
    ],
)
def test_edited_instance_is_replaced_without_a_gap(tmp_path: Path, edit: Callable[[Json], None], reason: str) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
            (old,) = world.engine.clones()
            sent = len(world.gateway.sent)
            edit(world.engine.containers[old])
            world.engine.tell("update", old)
            await world.pass_time(1)
            assert world.gateway.addresses(KEY) == ("10.130.0.3:8080",)
            assert old not in world.engine.clones()
            assert all(each.endpoints[KEY].addresses for each in world.gateway.sent[sent:])
            assert world.orchestrator.status().revisions[0].reason == reason

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("edit", "event", "reason"),
    [
        (lambda each: each.update(State={"Status": "paused"}), "pause", "container app: was paused"),
        (
            lambda each: each["NetworkSettings"]["Networks"].clear(),
            "disconnect",
            f"container app: is on no network and must be on {NETWORK} (10.130.0.2)",
        ),
    ],
)
def test_instance_that_was_cut_off_is_replaced_at_once(
    tmp_path: Path, edit: Callable[[Json], None], event: str, reason: str
) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
            (old,) = world.engine.clones()
            edit(world.engine.containers[old])
            world.engine.tell(event, old)
            await quiet()
            assert world.gateway.addresses(KEY) == ("10.130.0.3:8080",)
            assert old not in world.engine.clones()
            assert world.orchestrator.status().revisions[0].reason == reason

    asyncio.run(whole())


@in_world
async def test_edit_whose_event_was_lost_shows_when_the_stream_is_whole_again(world: World) -> None:
    await served(world)
    (old,) = world.engine.clones()
    world.engine.containers[old]["HostConfig"]["Memory"] = 1
    await world.pass_time(6)
    assert world.engine.clones() == [old]
    world.engine.cut_events()
    await world.pass_time(2)
    assert old not in world.engine.clones()


@in_world
async def test_network_event_of_somebody_else_s_container_asks_the_engine_nothing(world: World) -> None:
    await served(world)
    world.engine.calls.clear()
    world.engine.tell("connect", "f" * 64)
    await quiet()
    assert world.engine.calls == []


@in_world
async def test_document_outside_the_history_goes_after_a_good_rollout_with_its_last_instance(world: World) -> None:
    await served(world)
    first = world.documents.pop()
    world.add("hello-2")
    world.gateway.flying["10.130.0.2"] = 1
    await asyncio.wait_for(world.roll_out(rollout(("hello-2", 100))), 5)
    await world.pass_time(5)
    assert set(world.parts.documents.revisions) == {KEY, "default/hello-2"}
    held = world.orchestrator.holdings().services[0]
    assert list(held.documents) == ["hello-2"]
    world.gateway.flying.clear()
    await world.pass_time(1)
    assert set(world.parts.documents.revisions) == {"default/hello-2"}
    assert [each.name for each in (world.directory / "documents").iterdir()] == ["default.hello-2.json"]
    # And comes back with the update that names it again.
    world.documents.insert(0, first)
    await asyncio.wait_for(world.roll_out(rollout(("hello-1", 100))), 5)
    assert world.gateway.last.services["default/hello"].traffic == (TrafficShare("hello-1", 100),)


@in_world
async def test_failed_rollout_leaves_every_document_in_its_place(world: World) -> None:
    await served(world)
    world.documents.clear()
    world.add("hello-2")
    world.engine.exits_at_once["hello-2"] = 1
    task = asyncio.create_task(world.roll_out(rollout(("hello-2", 100))))
    await world.pass_time(10)
    assert task.exception() is not None
    assert set(world.parts.documents.revisions) == {KEY, "default/hello-2"}


@in_world
async def test_name_that_failed_may_be_used_again_by_what_mends_it(world: World) -> None:
    world.add("hello-1", identity="hello-1.aaaaaaaa")
    world.engine.exits_at_once["hello-1"] = 1
    task = asyncio.create_task(world.roll_out(rollout()))
    await world.pass_time(10)
    assert task.exception() is not None
    world.engine.exits_at_once.clear()
    world.documents.clear()
    world.add("hello-1", identity="hello-1.bbbbbbbb", port=9000)
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    assert world.gateway.addresses(KEY)[0].endswith(":9000")
    await world.pass_time(1)
    assert [each.name for each in (world.directory / "documents").iterdir()] == ["default.hello-1.bbbbbbbb.json"]


def test_forged_document_is_reported_and_not_used_and_what_runs_stays_until_it_is_put_again(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
        before = world.engine.clones("running")
        path = tmp_path / "documents" / "default.hello-1.json"
        path.write_text(path.read_text().replace("8080", "9999"))
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            await again.pass_time(10)
            assert again.engine.clones("running") == before
            (problem,) = again.orchestrator.status().problems
            assert problem.startswith("revision document default.hello-1.json is not used: ")
            assert not again.orchestrator.holdings().in_step
            again.documents = world.documents
            await asyncio.wait_for(again.roll_out(rollout()), 5)
            assert again.engine.clones("running") == before
            assert again.orchestrator.status().problems == ()
            assert again.gateway.addresses(KEY) == ("10.130.0.2:8080",)

    asyncio.run(whole())
