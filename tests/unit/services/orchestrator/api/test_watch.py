"""The watch stream: whole at first, then what changes, and on from where it was broken off."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from runyard.contracts import ScaleRequest
from services.orchestrator.api.watch import KEPT, LOOK_S, MOST, SILENCE_S, Change, Feed

from ..world import World
from .test_control import ROLLOUT, Client, problem_of, put, serving


class Things:
    """What a feed looks at, and how often it has."""

    def __init__(self, **things: str) -> None:
        self.now = {name.replace("_", " "): text for name, text in things.items()}
        self.looks = 0

    def __call__(self) -> dict[str, str]:
        self.looks += 1
        return self.now


class Reader:
    """A client of the stream: events as (kind, key, value), and the last id it was told."""

    def __init__(self, world: World, answer: ClientResponse) -> None:
        self.world, self.answer, self.identity, self.comments = world, answer, "", 0
        self._left = b""

    async def next(self) -> tuple[str, str, Any]:
        while b"\n\n" not in self._left:
            coming = asyncio.ensure_future(self.answer.content.readany())
            while not coming.done():
                await asyncio.wait({coming}, timeout=0.02)
                if not coming.done():
                    await self.world.pass_time(LOOK_S)
            self._left += coming.result()
        text, _, self._left = self._left.partition(b"\n\n")
        if text.startswith(b":"):
            self.comments += 1
            return await self.next()
        fields = dict(line.split(": ", 1) for line in text.decode().split("\n"))
        self.identity = fields.get("id", self.identity)
        data = json.loads(fields["data"])
        return fields["event"], data.get("key", ""), data.get("value")

    async def until(self, kind: str) -> list[tuple[str, str, Any]]:
        found = [await self.next()]
        while found[-1][0] != kind:
            found.append(await self.next())
        return found


async def watch(world: World, client: Client, identity: str = "") -> Reader:
    answer = await client.get("/v1/watch", headers={"Last-Event-ID": identity} if identity else {})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
    return Reader(world, answer)


def test_feed_numbers_what_is_new_other_and_gone() -> None:
    things = Things(service_a="1", instance_b="1")
    feed = Feed(things, "e")
    feed.look(0)
    things.now = {"service a": "2"}
    feed.look(LOOK_S)
    feed.look(2 * LOOK_S)
    assert feed.after(2) == [Change(3, "instance", "b", None), Change(4, "service", "a", "2")]
    assert (feed.after(4), feed.last) == ([], 4)
    assert feed.after(3) == [Change(4, "service", "a", "2")]


def test_feed_looks_once_for_all_who_ask_at_a_moment() -> None:
    things = Things()
    feed = Feed(things, "e")
    for now in (0, 0, LOOK_S / 2, LOOK_S, LOOK_S):
        feed.look(now)
    assert things.looks == 2


def test_feed_begins_anew_for_who_was_away_too_long_or_comes_from_elsewhere() -> None:
    things = Things()
    feed = Feed(things, "ab1")
    for turn in range(KEPT + 5):
        things.now = {"service a": str(turn)}
        feed.look(turn)
    assert feed.last == KEPT + 5
    assert feed.after(4) is None
    assert len(feed.after(5) or ()) == KEPT
    for number in (-1, KEPT + 6):
        assert feed.after(number) is None
    assert [feed.number_of(each) for each in ("ab1-7", "ab2-7", "ab1-x", "", "ab1-7\n")] == [7, -1, -1, -1, -1]


def test_event_has_its_id_and_one_line_of_data() -> None:
    assert Change(7, "instance", "a1", '{"x":1}').event("e") == (
        'id: e-7\nevent: instance\ndata: {"key":"a1","value":{"x":1}}\n\n'
    )
    assert Change(8, "instance", 'a"', None).event("e").endswith('data: {"key":"a\\"","value":null}\n\n')


@serving
async def test_stream_tells_everything_then_each_change_and_resumes_where_it_broke_off(
    world: World, client: Client
) -> None:
    world.add(max_instances=4)
    await put(world, client)
    reader = await watch(world, client)
    whole = await reader.until("synced")
    assert whole[0] == ("reset", "", None)
    kinds = [kind for kind, _, _ in whole[1:-1]]
    assert kinds == ["decision", "endpoint", "instance", "owner", "revision", "service"]
    assert whole[3][2]["state"] == "ready"
    identity = reader.identity
    world.orchestrator.scale(ScaleRequest("default", "hello", 2, 60))
    kind, key, value = await reader.next()
    while kind != "override":
        kind, key, value = await reader.next()
    assert (key, value["count"]) == ("default/hello", 2)
    reader.answer.close()
    # Away while the override ends, with what it had seen before it began.
    await world.pass_time(90)
    again = await watch(world, client, identity)
    told = [await again.next() for _ in range(2)]
    assert "reset" not in [kind for kind, _, _ in told]
    while ("override", "default/hello", None) not in told:
        told.append(await again.next())
    foreign = await watch(world, client, "0-1")
    assert (await foreign.next())[0] == "reset"


@serving
async def test_stream_with_nothing_new_shows_that_it_lives(world: World, client: Client) -> None:
    reader = await watch(world, client)
    await reader.until("synced")
    coming = asyncio.ensure_future(reader.next())
    before = world.clock.now
    while not reader.comments:
        await asyncio.wait({coming}, timeout=0.02)
        await world.pass_time(LOOK_S)
    assert world.clock.now - before >= SILENCE_S
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)


def test_one_stream_too_many_is_refused_until_another_ends(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world, TestClient(TestServer(world.api.control_app())) as client:
            readers = [await watch(world, client) for _ in range(MOST)]
            refused = await client.get("/v1/watch")
            detail = f"GET /v1/watch: {MOST} clients watch already"
            assert (refused.status, (await problem_of(refused))["detail"]) == (429, detail)
            assert (await client.get("/v1/status")).status == 200
            readers[0].answer.close()
            statuses = []
            while 200 not in statuses and len(statuses) < 50:
                await world.pass_time(LOOK_S)
                statuses.append((await client.get("/v1/watch")).status)
            assert statuses[-1] == 200

    asyncio.run(whole())


def test_port_streams_no_address(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add()
            async with TestClient(TestServer(world.api.control_app())) as client:
                await put(world, client, ROLLOUT)
                assert "10.130.0." in str(await (await watch(world, client)).until("synced"))
            async with TestClient(TestServer(world.api.reading_app())) as client:
                told = str(await (await watch(world, client)).until("synced"))
                assert ("'ready'" in told, "10.130.0." in told) == (True, False)
                for name in ("status", "services", "revisions", "instances", "endpoints", "decisions"):
                    answer = await client.get(f"/v1/{name}")
                    assert (answer.status, "10.130." in await answer.text()) == (200, False)
                assert (await client.put("/v1/overrides/default/hello", data=b"{}")).status == 404

    asyncio.run(whole())
