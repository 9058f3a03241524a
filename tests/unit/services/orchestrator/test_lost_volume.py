"""An empty volume beside a gateway that serves: nothing is withdrawn until somebody says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runyard.contracts import GatewaySnapshot, RolloutRequest, RouteRequest, TrafficShare, encode

from .test_identity import lost
from .test_orchestrator import PORTLESS, rollout
from .world import World, quiet

ROUTE = RouteRequest("default", "hello", ("hello.localhost",), timeout_s=77)
OTHER = RolloutRequest("default", "other", (TrafficShare("other-1", 100),), 20)


async def prepared(directory: Path) -> World:
    """Bring two services to serving, and lose the orchestrator's volume."""
    async with World(directory) as world:
        world.add()
        world.add("other-1", service="other")
        await asyncio.wait_for(world.roll_out(rollout(), ROUTE), 5)
        await asyncio.wait_for(world.roll_out(OTHER, RouteRequest("default", "other", ("other.localhost",))), 5)
    (directory / "gateway.json").write_text(encode(world.gateway.last))
    lost(directory)
    return world


def restarted(directory: Path, world: World, boot_ms: int = 0x200) -> World:
    again = World(directory, world.engine, world.gateway, boot_ms=boot_ms)
    again.documents = world.documents
    return again


def test_gateway_keeps_all_that_it_had_and_instances_go_on(tmp_path: Path) -> None:
    async def whole() -> None:
        world = await prepared(tmp_path)
        before, running = world.gateway.last, world.engine.clones("running")
        for boot_ms in (0x200, 0x300):
            # And after a restart, of which the first start left it nothing but the same.
            async with restarted(tmp_path, world, boot_ms) as again:
                await again.pass_time(30)
                last = again.gateway.last
                assert (last.services, last.hosts) == (before.services, before.hosts)
                assert (places(last), last.callers) == (places(before), before.callers)
                assert again.engine.clones("running") == running
                problems = again.orchestrator.status().problems
                assert "service default/hello is as the gateway had it before the volume was lost" in str(problems)

    asyncio.run(whole())


def places(snapshot: GatewaySnapshot) -> dict[str, tuple[str, ...]]:
    """Where instances answer; how long a start may be waited for is not said of what nobody can start."""
    return {key: each.addresses for key, each in snapshot.endpoints.items()}


def test_service_that_is_put_takes_over_what_serves_without_a_gap(tmp_path: Path) -> None:
    async def whole() -> None:
        world = await prepared(tmp_path)
        before, running = world.gateway.last, world.engine.clones("running")
        async with restarted(tmp_path, world) as again:
            await again.pass_time(3)
            sent = len(again.gateway.sent)
            await asyncio.wait_for(again.roll_out(rollout(), ROUTE), 5)
            for each in again.gateway.sent[sent:]:
                assert places(each) == places(before)
                assert (each.hosts, each.services) == (before.hosts, before.services)
            assert again.engine.clones("running") == running
            await asyncio.wait_for(again.roll_out(OTHER, RouteRequest("default", "other", ("other.localhost",))), 5)
            assert not (tmp_path / "base.json").exists()
            assert again.orchestrator.status().problems == ()

    asyncio.run(whole())


def test_failed_rollout_and_the_update_of_another_service_change_nothing_of_it(tmp_path: Path) -> None:
    async def whole() -> None:
        world = await prepared(tmp_path)
        before = world.gateway.last
        async with restarted(tmp_path, world) as again:
            again.add("hello-2")
            again.engine.exits_at_once["hello-2"] = 1
            task = asyncio.create_task(again.roll_out(rollout(("hello-2", 100)), ROUTE))
            await again.pass_time(10)
            assert task.exception() is not None
            await asyncio.wait_for(again.roll_out(OTHER), 5)
            last = again.gateway.last
            assert last.services["default/hello"] == before.services["default/hello"]
            assert places(last)["default/hello-1"] == places(before)["default/hello-1"]
            assert last.hosts == {"hello.localhost": "default/hello"}

    asyncio.run(whole())


def test_what_serves_goes_on_until_the_new_revision_of_the_first_update_has_the_traffic(tmp_path: Path) -> None:
    async def whole() -> None:
        world = await prepared(tmp_path)
        running = world.engine.clones("running")
        async with restarted(tmp_path, world) as again:
            again.add("hello-2")
            await again.pass_time(3)
            again.attempts.answers = dict.fromkeys(running, "")
            again.attempts.default = PORTLESS
            task = asyncio.create_task(again.roll_out(rollout(("hello-2", 100)), ROUTE))
            await again.pass_time(10)
            # It was taken over, for its document came with the request, and nobody but the gateway wants it.
            assert set(running) < set(again.engine.clones("running"))
            assert again.gateway.addresses("default/hello-1") == ("10.130.0.2:8080",)
            again.attempts.default = ""
            await again.pass_time(5)
            await task
            assert again.gateway.addresses("default/hello-2") == ("10.130.0.4:8080",)
            assert again.gateway.last.endpoints["default/hello-1"].addresses == ()

    asyncio.run(whole())


def test_address_that_the_gateway_knows_from_before_goes_to_nobody_else(tmp_path: Path) -> None:
    async def whole() -> None:
        world = await prepared(tmp_path)
        world.engine.containers.clear()
        async with restarted(tmp_path, world) as again:
            again.documents.clear()
            again.add("new-1", service="new")
            request = RolloutRequest("default", "new", (TrafficShare("new-1", 100),), 20)
            await asyncio.wait_for(again.roll_out(request), 5)
            # 2 and 3 were the other services'.
            assert again.gateway.addresses("default/new-1") == ("10.130.0.4:8080",)

    asyncio.run(whole())


def test_service_that_is_deleted_goes_from_the_gateway_and_stays_gone(tmp_path: Path) -> None:
    async def whole() -> None:
        world = await prepared(tmp_path)
        async with restarted(tmp_path, world) as again:
            again.gateway.away = True
            task = asyncio.create_task(again.orchestrator.delete_service("default", "hello"))
            await again.pass_time(6)
            await task
        async with restarted(tmp_path, world, 0x300) as later:
            later.gateway.away = False
            await later.pass_time(6)
            await quiet()
            assert list(later.gateway.last.services) == ["default/other"]
            assert "default/hello-1" not in later.gateway.last.endpoints

    asyncio.run(whole())


def test_gateway_that_never_had_anything_is_nothing_to_stand_on(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await world.pass_time(1)
            assert world.parts.tools.base.services == ()
            assert not (tmp_path / "base.json").exists()

    asyncio.run(whole())


def test_snapshot_of_a_gateway_beside_a_whole_volume_is_not_read(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add()
            await asyncio.wait_for(world.roll_out(rollout(), ROUTE), 5)
            (tmp_path / "gateway.json").write_text(encode(world.gateway.last))
            await world.orchestrator.delete_service("default", "hello")
        async with restarted(tmp_path, world) as again:
            await again.pass_time(3)
            assert again.gateway.last.services == {}

    asyncio.run(whole())


@pytest.mark.parametrize("damaged", ["documents/default.hello-1.json", "services/default.hello.json"])
def test_service_whose_file_was_damaged_serves_on_and_no_other_is_held(tmp_path: Path, damaged: str) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add()
            world.add("other-1", service="other")
            await asyncio.wait_for(world.roll_out(rollout(), ROUTE), 5)
            await asyncio.wait_for(world.roll_out(OTHER), 5)
        before = world.gateway.last
        (tmp_path / "gateway.json").write_text(encode(before))
        (tmp_path / damaged).write_text("{")
        async with restarted(tmp_path, world) as again:
            await again.pass_time(10)
            assert again.parts.tools.base.services == ("default/hello",)
            last = again.gateway.last
            assert (last.services, last.hosts) == (before.services, before.hosts)
            assert (places(last), last.callers) == (places(before), before.callers)
            assert len(again.engine.clones("running")) == 2
            await asyncio.wait_for(again.roll_out(rollout(), ROUTE), 5)
            assert again.orchestrator.status().problems == ()
            assert again.gateway.last.endpoints == before.endpoints

    asyncio.run(whole())


def test_snapshot_that_cannot_be_read_is_said_and_stands_for_nothing(tmp_path: Path) -> None:
    async def whole() -> None:
        (tmp_path / "gateway.json").write_text("{")
        async with World(tmp_path) as world:
            assert "base unreadable" in world.journal.events()
            assert world.parts.tools.base.services == ()

    asyncio.run(whole())
