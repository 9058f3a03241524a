"""The recorded load over real sockets: what the gateway tells is read by the minute, also after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer

from runyard.contracts import RecordedLoad, decode

from ..world import World
from .test_control import Client, problem_of, put, serving

PATH = "/v1/recorded-load?service=default/hello"
KEY = "default/hello-1"


async def recorded(client: Client) -> RecordedLoad:
    answer = await client.get(PATH)
    assert answer.status == 200, await answer.text()
    return decode(RecordedLoad, await answer.text())


async def loaded(world: World) -> None:
    """Have three requests of a tenth of a second come."""
    world.gateway.tell(KEY)
    await world.pass_time(0.3)
    world.gateway.tell(KEY, 0, 0, 3, 300)
    await world.pass_time(0.3)


@serving
async def test_load_of_a_service_is_read_by_the_minute(world: World, client: Client) -> None:
    world.add()
    await put(world, client)
    assert (await recorded(client)).minutes == ()
    await loaded(world)
    found = await recorded(client)
    assert found.minutes == ((int(world.clock.now) // 60, 3, 300, 3),)
    assert found.since_unix_s <= world.clock.now == found.until_unix_s + world.clock.now % 1


@serving
async def test_service_must_be_named_and_be_there(world: World, client: Client) -> None:
    for query, status, detail in (
        ("", 400, 'GET /v1/recorded-load: service must be TENANT/SERVICE, got ""'),
        ("?service=../x", 400, 'GET /v1/recorded-load: service must be TENANT/SERVICE, got "../x"'),
        ("?service=a/b", 404, "recorded load a/b: must be of a service of the stack, got none of its name"),
    ):
        answer = await client.get(f"/v1/recorded-load{query}")
        assert answer.status == status
        assert (await problem_of(answer))["detail"] == detail


@serving
async def test_deleted_service_takes_its_recorded_load_along(world: World, client: Client) -> None:
    world.add()
    await put(world, client)
    await loaded(world)
    await client.delete("/v1/services/default/hello")
    assert (await client.get(PATH)).status == 404


def test_recorded_load_outlives_the_orchestrator(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world, TestClient(TestServer(world.api.control_app())) as client:
            world.add()
            await put(world, client)
            await loaded(world)
            before = await recorded(client)
        async with World(tmp_path, world.engine, world.gateway, boot_ms=0x200) as again:
            again.clock.now = world.clock.now + 600
            await again.pass_time(1)
            async with TestClient(TestServer(again.api.reading_app())) as client:
                found = await recorded(client)
        assert (found.since_unix_s, found.minutes) == (before.since_unix_s, before.minutes)

    asyncio.run(whole())
