"""Connections beneath the API, on real sockets: those that say nothing, half a head, or do not take their answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from services.orchestrator.api.listener import Connections, Limits, Place, open_site
from tests.harness.ports import free_port
from tests.harness.waiting import until_async

from ..world import ListJournal

# Nothing ends by itself but what a test says.
LIMITS = Limits(connections=3, idle_s=60, head_s=60, stalled_s=60)
WHOLE, HALF = b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /quick HTTP/1.1\r\nHo"
SLOW = WHOLE.replace(b"quick", b"slow")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """A small application behind bounded connections."""

    def __init__(self, limits: Limits, place: Place) -> None:
        self.journal, self.place = ListJournal(), place
        self.connections = Connections(limits, self.journal)
        self.released, self.begun = asyncio.Event(), 0
        self._clients: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Served:
        app = web.Application()
        app.router.add_get("/quick", self._quick)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/large", self._large)
        self._runner = await open_site(app, self.place, self.connections, 0.1)
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._clients:
            each.close()
        await self._runner.cleanup()

    async def _quick(self, _: web.Request) -> web.Response:
        return web.Response(text="quick")

    async def _slow(self, _: web.Request) -> web.Response:
        self.begun += 1
        await self.released.wait()
        return web.Response(text="slow")

    async def _large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 2**20)

    async def connect(self, sent: bytes = b"") -> Streams:
        if isinstance(self.place, Path):
            reader, writer = await asyncio.open_unix_connection(self.place)
        else:
            reader, writer = await asyncio.open_connection(*self.place)
        self._clients.append(writer)
        writer.write(sent)
        return reader, writer


def served(limits: Limits = LIMITS) -> Callable[[Callable[[Served], Awaitable[None]]], Callable[[], None]]:
    def decorate(test: Callable[[Served], Awaitable[None]]) -> Callable[[], None]:
        def run() -> None:
            async def whole() -> None:
                async with asyncio.timeout(20), Served(limits, ("127.0.0.1", free_port())) as it:
                    await test(it)

            asyncio.run(whole())

        run.__name__ = test.__name__
        return run

    return decorate


async def answer(streams: Streams) -> bytes:
    """Give a whole answer of one connection that stays open."""
    head = await streams[0].readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    return await streams[0].readexactly(length)


async def ended(streams: Streams) -> bool:
    """Wait until the other end closes a connection without a word."""
    try:
        return await streams[0].read() == b""
    except ConnectionResetError:
        return True


@served(replace(LIMITS, idle_s=0.05))
async def test_connection_that_says_nothing_is_closed(it: Served) -> None:
    assert await ended(await it.connect())
    assert len(it.connections) == 0


@served(replace(LIMITS, head_s=0.02))
async def test_head_that_does_not_end_is_closed_however_it_drips(it: Served) -> None:
    streams = await it.connect(HALF)
    gone = asyncio.create_task(ended(streams))
    while not gone.done():
        # The deadline is that of the whole head: another byte moves it nowhere.
        streams[1].write(b"x")
        await asyncio.sleep(0)
    assert gone.result()


@served(replace(LIMITS, idle_s=0.2))
async def test_connection_serves_one_request_after_another_and_is_closed_when_no_more_comes(it: Served) -> None:
    streams = await it.connect(WHOLE)
    assert await answer(streams) == b"quick"
    streams[1].write(WHOLE)
    assert await answer(streams) == b"quick"
    assert await ended(streams)


@served(replace(LIMITS, idle_s=0.05, head_s=0.05))
async def test_request_at_work_has_no_deadline_here(it: Served) -> None:
    streams = await it.connect(SLOW)
    asyncio.get_running_loop().call_later(0.3, it.released.set)
    assert await answer(streams) == b"slow"


@served()
async def test_request_that_comes_whole_takes_the_place_of_the_half_one_that_waited_longest(it: Served) -> None:
    first, second, third = [await it.connect(HALF) for _ in range(3)]
    await until_async(lambda: len(it.connections) == 3)
    assert await answer(await it.connect(WHOLE)) == b"quick"
    assert await ended(first)
    assert await answer(await it.connect(WHOLE)) == b"quick"
    assert await ended(second)
    third[1].write(b"st: x\r\n\r\n")
    assert await answer(third) == b"quick"
    assert it.journal.entries == [("connections full", {"level": "warning", "connections": 3})]


@served()
async def test_request_at_work_gives_way_to_nobody(it: Served) -> None:
    working = [await it.connect(SLOW) for _ in range(3)]
    await until_async(lambda: it.begun == 3)
    assert await ended(await it.connect(WHOLE))
    it.released.set()
    assert [await answer(each) for each in working] == [b"slow"] * 3
    assert await answer(await it.connect(WHOLE)) == b"quick"


@served(replace(LIMITS, stalled_s=0.05))
async def test_client_that_takes_nothing_of_its_answer_is_closed(it: Served) -> None:
    await it.connect(WHOLE.replace(b"quick", b"large"))
    await until_async(lambda: len(it.connections) == 1)
    await until_async(lambda: len(it.connections) == 0)


def test_unix_socket_is_bounded_too(tmp_path: Path) -> None:
    async def whole() -> None:
        (tmp_path / "socket").touch()
        # Long enough for a whole head on a busy machine.
        async with Served(replace(LIMITS, head_s=1), tmp_path / "socket") as it:
            assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o600
            assert await answer(await it.connect(WHOLE)) == b"quick"
            assert await ended(await it.connect(HALF))

    asyncio.run(whole())


def test_place_that_is_taken_is_told(tmp_path: Path) -> None:
    async def whole() -> None:
        place = ("127.0.0.1", free_port())
        async with Served(LIMITS, place):
            with pytest.raises(OSError, match=str(place[1])):
                await open_site(web.Application(), place, Connections(LIMITS, ListJournal()), 0.1)

    asyncio.run(whole())
