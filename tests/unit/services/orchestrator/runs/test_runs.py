"""A command that is run once: what is made for it, how it ends, and that nothing of it is left whatever happens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.contracts import RunRequest, SecretValue, Variable, VolumeDocument, VolumeMount
from runyard.errors import HostError, HostUnreachable, NotFound, PolicyError, UsageError
from services.orchestrator.runs.runs import UNATTENDED_S

from ..test_orchestrator import rollout
from ..world import NOW, STACK, SUBNET, FakeClock, FakeEngine, World, container, in_world, quiet

MIGRATE = RunRequest("default", "hello", "ab12", ("migrate", "--all"), environment={"PLAIN": "y"}, timeout_s=60)
APP = container(environment=(Variable("DB", secret=SecretValue("db", "latest", "digest-1")), Variable("PLAIN", "x")))


async def serving(world: World, *containers: Any, **fields: Any) -> None:
    """Have a service that serves from one instance."""
    world.values = {"digest-1": "planted"}
    world.add("hello-1", *(containers or (APP,)), **fields)
    await world.roll_out(rollout())


def made(world: World) -> list[dict[str, Any]]:
    """Give the containers of runs."""
    found = world.engine.containers.values()
    return [each for each in found if each["Config"]["Labels"].get(names.ROLE) == names.ROLE_RUN]


async def begun(world: World, request: RunRequest = MIGRATE) -> dict[str, Any]:
    """Begin a run, and give its only container."""
    await world.orchestrator.runs.begin(request)
    await world.pass_time(1)
    (only,) = made(world)
    return only


async def state(world: World) -> tuple[str, int | None, str]:
    told = await world.orchestrator.runs.wait("default", "hello", "ab12", 0)
    return told.state, told.exit_code, told.reason


def left(world: World) -> tuple[list[Any], list[str]]:
    """Give what there is of runs in the engine and in the book."""
    return made(world), [each.name for each in (world.directory / "runs").iterdir()]


@in_world
async def test_run_is_its_revision_s_instance_with_another_command(world: World) -> None:
    await serving(world)
    run = await begun(world)
    (serves,) = world.engine.clones()
    instance = world.engine.containers[serves]
    assert run["Name"] == "/runyard.test.default.hello-1.app.ab12"
    assert run["Config"]["Cmd"] == ["--", "migrate", "--all"]
    assert json.loads(world.engine.inputs[run["Id"]])["environment"] == {"DB": "planted"}
    assert ("PLAIN=y" in run["Config"]["Env"], "PLAIN=x" in instance["Config"]["Env"]) == (True, True)
    assert run["HostConfig"] == instance["HostConfig"]
    (network,) = run["NetworkSettings"]["Networks"]
    address = run["NetworkSettings"]["Networks"][network]["IPAMConfig"]["IPv4Address"]
    # It may call what the service may, and gets none of its requests.
    assert world.gateway.sent[-1].callers[address] == "default/hello"
    assert len(world.gateway.sent[-1].endpoints["default/hello-1"].addresses) == 1
    assert address not in str(world.gateway.sent[-1].endpoints)
    assert world.parts.tools.inventory.strangers() == ()


@in_world
async def test_run_is_listed_beside_the_instances_with_what_it_uses(world: World) -> None:
    await serving(world)
    run = await begun(world)
    serves, listed = world.orchestrator.instances().instances
    assert (serves.run, serves.state) == (False, "ready")
    assert (listed.instance, listed.run, listed.state, listed.revision) == ("ab12", True, "running", "hello-1")
    assert [(each.id, each.memory_bytes) for each in listed.containers] == [(run["Id"], 64 * 2**20)]


@in_world
async def test_exit_code_is_told_and_all_is_removed_when_it_was_taken_leave_of(world: World) -> None:
    await serving(world)
    run = await begun(world)
    waiting = asyncio.create_task(world.orchestrator.runs.wait("default", "hello", "ab12", 30))
    await quiet()
    assert not waiting.done()
    world.engine.die(run["Id"], 3)
    told = await waiting
    assert (told.state, told.exit_code, told.container) == ("ended", 3, run["Id"])
    # Its output can still be read.
    assert made(world) == [run | {"State": {"Status": "exited", "ExitCode": 3, "OOMKilled": False}}]
    await world.orchestrator.runs.end("default", "hello", "ab12")
    assert left(world) == ([], [])
    await world.orchestrator.runs.end("default", "hello", "ab12")
    with pytest.raises(NotFound, match="there is no run ab12"):
        await state(world)
    assert len(world.engine.clones("running")) == 1


@in_world
async def test_run_that_is_ended_early_is_stopped(world: World) -> None:
    await serving(world)
    run = await begun(world)
    await world.orchestrator.runs.end("default", "hello", "ab12")
    assert ("stop", run["Id"]) in world.engine.calls
    assert left(world) == ([], [])


@in_world
async def test_run_that_nobody_asks_for_any_more_is_removed(world: World) -> None:
    await serving(world)
    await begun(world)
    for _ in range(3):
        await world.pass_time(UNATTENDED_S - 2)
        assert (await state(world))[0] == "running"
    await world.pass_time(UNATTENDED_S + 2)
    assert left(world) == ([], [])
    assert "run unattended" in world.journal.events()


@in_world
async def test_run_that_takes_too_long_is_stopped_and_late(world: World) -> None:
    await serving(world)
    await begun(world)
    for _ in range(7):
        await world.pass_time(10)
        told = await world.orchestrator.runs.wait("default", "hello", "ab12", 0)
    assert (told.state, told.late, told.reason) == ("failed", True, "ended after the 60 s that it may take")


@in_world
async def test_memory_that_ran_out_is_told_beside_the_exit_code(world: World) -> None:
    await serving(world)
    world.engine.die((await begun(world))["Id"], 137, oom=True)
    await quiet()
    reason = "container app: killed for using more memory than its limit (OOM)"
    assert await state(world) == ("ended", 137, reason)


@in_world
async def test_request_that_is_repeated_begins_nothing_more(world: World) -> None:
    await serving(world)
    await begun(world)
    assert (await world.orchestrator.runs.begin(MIGRATE)).state == "running"
    assert len(made(world)) == 1
    with pytest.raises(UsageError, match="number ab12 is another run's"):
        await world.orchestrator.runs.begin(replace(MIGRATE, command=("other",)))


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (replace(MIGRATE, service="other"), NotFound, "run default/other: it has no traffic in force"),
        (replace(MIGRATE, revision="hello-9"), NotFound, "run default/hello: revision hello-9 is not kept"),
        (
            replace(MIGRATE, container="db"),
            UsageError,
            r"container must be one of revision hello-1's \(app\), got 'db'",
        ),
        (replace(MIGRATE, command=()), UsageError, r"command must name a program, got \(\)"),
        (replace(MIGRATE, run="../x"), UsageError, "run must be up to 16 hexadecimal digits, got '../x'"),
        (replace(MIGRATE, timeout_s=0), UsageError, "timeout_s must be from 1 to 86400, got 0"),
        (replace(MIGRATE, environment={"A=B": ""}), UsageError, "environment: must be names without ="),
    ],
    ids=["service", "revision", "container", "command", "number", "timeout", "environment"],
)
def test_request_that_does_not_fit_is_refused_and_makes_nothing(
    tmp_path: Path, request_: RunRequest, error: type[Exception], message: str
) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await serving(world)
            with pytest.raises(error, match=message):
                await world.orchestrator.runs.begin(request_)
            assert left(world) == ([], [])

    asyncio.run(whole())


@in_world
async def test_run_counts_in_the_tenant_s_quota_while_it_is_there(world: World) -> None:
    await serving(world)
    claim = {"stack": STACK, "services": [], "quotas": {"default": {"instances": 2, "memory": 2**30}}}
    world.parts.claim.put(json.dumps(claim))
    await begun(world)
    with pytest.raises(PolicyError, match="quota of instances must be at least 3 while it runs, got 2"):
        await world.orchestrator.runs.begin(replace(MIGRATE, run="cd34"))
    await world.orchestrator.runs.end("default", "hello", "ab12")
    assert (await world.orchestrator.runs.begin(replace(MIGRATE, run="cd34"))).state == "starting"


@in_world
async def test_run_that_cannot_be_started_says_why(world: World) -> None:
    await serving(world)
    world.engine.errors["start"] = HostError("start container: no such program")
    await begun(world)
    assert await state(world) == ("failed", None, "start container: no such program")
    del world.engine.errors["start"]
    await world.orchestrator.runs.end("default", "hello", "ab12")
    assert left(world) == ([], [])


@in_world
async def test_volume_with_one_writer_is_not_run_beside_its_instance(world: World) -> None:
    app = container(volume_mounts=(VolumeMount("data", "/data"),))
    await serving(world, app, volumes=(VolumeDocument("data", "persistent", 2**20),), max_instances=1)
    await world.orchestrator.runs.begin(MIGRATE)
    await world.pass_time(1)
    assert "volume runyard.test.volume.default.data: has one writer" in (await state(world))[2]


@in_world
async def test_volumes_are_prepared_before_the_command_and_shared_memory_goes_with_it(world: World) -> None:
    app = container(volume_mounts=(VolumeMount("data", "/data"), VolumeMount("work", "/work")))
    volumes = (VolumeDocument("data", "persistent", 2**20), VolumeDocument("work", "shared", 2**20))
    world.add("hello-1", app, volumes=volumes, max_instances=1)
    await world.roll_out(rollout(manual_instances=0))
    before = set(world.engine.volumes)
    await world.orchestrator.runs.begin(MIGRATE)
    await world.pass_time(1)
    started = [what for verb, what in world.engine.calls if verb == "start"]
    order = [world.engine.containers[each]["Config"]["Labels"][names.CONTAINER] for each in started]
    assert order == [names.HOLDER, names.PREPARER, "app"]
    assert (await state(world))[0] == "running"
    await world.orchestrator.runs.end("default", "hello", "ab12")
    assert left(world) == ([], [])
    # What the tenant keeps is kept.
    assert set(world.engine.volumes) - before == {"runyard.test.volume.default.data"}


@in_world
async def test_helper_that_fails_keeps_the_command_from_being_started(world: World) -> None:
    app = container(volume_mounts=(VolumeMount("data", "/data"),))
    world.add("hello-1", app, volumes=(VolumeDocument("data", "persistent", 2**20),), max_instances=1)
    await world.roll_out(rollout(manual_instances=0))
    world.engine.ends[names.PREPARER] = 1
    await world.orchestrator.runs.begin(MIGRATE)
    await world.pass_time(1)
    assert await state(world) == ("failed", None, f"helper {names.PREPARER}: exited with code 1")


@in_world
async def test_revision_with_most_of_the_traffic_is_run_and_where_it_is_going(world: World) -> None:
    for name in ("hello-2", "hello-1"):
        world.add(name)
    history = ("hello-1", "hello-2")
    await world.roll_out(rollout(("hello-1", 30), ("hello-2", 70), history=history))
    assert (await world.orchestrator.runs.begin(MIGRATE)).revision == "hello-2"
    named = replace(MIGRATE, run="cd34", revision="hello-1")
    assert (await world.orchestrator.runs.begin(named)).revision == "hello-1"
    await world.roll_out(rollout(("hello-1", 50), ("hello-2", 50), history=history))
    assert (await world.orchestrator.runs.begin(replace(MIGRATE, run="ef56"))).revision == "hello-1"
    # While traffic moves, it is what it moves to.
    await world.roll_out(rollout(("hello-2", 100), history=("hello-2", "hello-1"), duration_s=600))
    assert (await world.orchestrator.runs.begin(replace(MIGRATE, run="aa78"))).revision == "hello-2"


@in_world
async def test_document_and_address_of_a_run_stay_as_long_as_it_does(world: World) -> None:
    await serving(world)
    run = await begun(world, replace(MIGRATE, timeout_s=3600))
    (network,) = run["NetworkSettings"]["Networks"]
    address = run["NetworkSettings"]["Networks"][network]["IPAMConfig"]["IPv4Address"]
    await world.orchestrator.delete_service("default", "hello")
    for _ in range(9):
        await world.pass_time(10)
        assert (await state(world))[0] == "running"
    assert (world.engine.clones(), made(world)) == ([], [run])
    assert world.parts.documents.get("default", "hello-1") is not None
    # Whoever comes next gets all others of the subnet, and then none.
    take = world.parts.tools.addresses.take
    assert address not in [take(f"{each:x}", network, SUBNET, ()) for each in range(253)]
    with pytest.raises(HostError, match="is full"):
        take("fe", network, SUBNET, ())
    await world.orchestrator.runs.end("default", "hello", "ab12")
    await world.pass_time(6)
    assert world.parts.documents.get("default", "hello-1") is None


@in_world
async def test_engine_that_is_away_neither_ends_a_run_nor_leaves_it(world: World) -> None:
    await serving(world)
    run = await begun(world)
    world.engine.errors["wait"] = HostUnreachable("away")
    world.engine.die(run["Id"], 0)
    await world.pass_time(3)
    del world.engine.errors["wait"]
    await world.pass_time(2)
    assert await state(world) == ("ended", 0, "")
    world.engine.errors["remove"] = HostUnreachable("away")
    ending = asyncio.create_task(world.orchestrator.runs.end("default", "hello", "ab12"))
    await world.pass_time(3)
    assert not ending.done()
    del world.engine.errors["remove"]
    await world.pass_time(2)
    assert (ending.done(), left(world)) == (True, ([], []))


def test_next_orchestrator_goes_on_with_a_run(tmp_path: Path) -> None:
    async def whole() -> None:
        engine, clock = FakeEngine(), FakeClock(NOW)
        async with World(tmp_path, engine, clock=clock) as world:
            await serving(world)
            run = await begun(world)
        async with World(tmp_path, engine, world.gateway, clock=clock) as later:
            assert (await state(later))[0] == "running"
            await later.pass_time(1)
            assert len(later.engine.clones("running")) == 1
            later.engine.die(run["Id"], 4)
            await later.pass_time(1)
            assert await state(later) == ("ended", 4, "")
            await later.orchestrator.runs.end("default", "hello", "ab12")
            assert left(later) == ([], [])

    asyncio.run(whole())


def test_next_orchestrator_removes_what_was_only_half_made(tmp_path: Path) -> None:
    async def whole() -> None:
        engine, clock = FakeEngine(), FakeClock(NOW)
        async with World(tmp_path, engine, clock=clock) as world:
            await serving(world)
            await begun(world)
            # As a kill between the container's making and the book's next line leaves it.
            entry = world.parts.run_book.entries["ab12"]
            unmade = tuple(replace(each, id="") for each in entry.made.containers)
            world.parts.run_book.write(replace(entry, started_unix_s=0.0, made=replace(entry.made, containers=unmade)))
        async with World(tmp_path, engine, world.gateway, clock=clock) as later:
            await later.pass_time(1)
            state_, code, reason = await state(later)
            assert (state_, code) == ("failed", None)
            assert reason.endswith("the orchestrator was ended before its command was started")
            await later.orchestrator.runs.end("default", "hello", "ab12")
            assert left(later) == ([], [])

    asyncio.run(whole())
