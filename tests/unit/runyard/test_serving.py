"""Several real servers in one process: they begin together, and end together whichever ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from runyard.serving import Server, make_server, serve_together
from tests.harness.waiting import until_async


async def app(scope: dict[str, Any], _: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Answer each request with the path that was asked for."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def ask(socket: Path) -> str:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
        session.get("http://any/hello") as answer,
    ):
        return await answer.text()


def story(
    directory: Path, test: Callable[[list[Server], list[Path], asyncio.Task[None]], Awaitable[None]]
) -> list[str]:
    """Serve at two sockets while a test runs, and give what was told of it."""
    told: list[str] = []

    async def whole() -> None:
        sockets = [directory / "one.sock", directory / "two.sock"]
        servers = [make_server(app, uds=str(each)) for each in sockets]

        def ending() -> None:
            told.append(f"ending, told to end: {[each.should_exit for each in servers]}")

        serving = asyncio.create_task(serve_together(servers, lambda: told.append("begun"), ending))
        try:
            await until_async(lambda: all(each.started for each in servers))
            await test(servers, sockets, serving)
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
        # Nobody listens any more, and nobody was broken off in the middle.
        assert not [each for each in servers if each.servers and any(one.is_serving() for one in each.servers)]

    asyncio.run(whole())
    return told


def test_all_answer_until_they_are_cancelled_and_ending_is_told_first(tmp_path: Path) -> None:
    async def test(_: list[Server], sockets: list[Path], serving: asyncio.Task[None]) -> None:
        assert [await ask(each) for each in sockets] == ["/hello", "/hello"]
        assert not serving.done()

    assert story(tmp_path, test) == ["begun", "ending, told to end: [False, False]"]


def test_one_that_ends_takes_the_other_along(tmp_path: Path) -> None:
    async def test(servers: list[Server], _: list[Path], serving: asyncio.Task[None]) -> None:
        servers[0].should_exit = True
        await until_async(serving.done)
        assert serving.exception() is None

    assert story(tmp_path, test) == ["begun", "ending, told to end: [True, False]"]


def test_signals_stay_with_the_process(tmp_path: Path) -> None:
    # SIGINT asyncio takes itself.
    before, during = signal.getsignal(signal.SIGTERM), []

    async def test(*_: Any) -> None:
        during.append(signal.getsignal(signal.SIGTERM))

    story(tmp_path, test)
    assert during == [before]
