"""Server of a test's own: real HTTP on a free port of the loopback, and what it does with each request is given."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.harness.waiting import PATIENCE_S

Answer = Callable[[int, web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Served:
    """A running server: its address, and every request that came to it, as it came."""

    port: int
    requests: list[tuple[str, str, str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


async def greet(number: int, _: web.Request) -> web.StreamResponse:
    """Answer at once, with an id as the gateway's are."""
    return web.Response(text="hello", headers={"X-Request-Id": f"{number:032x}"})


def one_in_three_slow(by_s: float) -> Answer:
    """Give an answer as of three instances of which one is slow: every third request waits."""

    async def answer(number: int, request: web.Request) -> web.StreamResponse:
        if number % 3 == 2:
            await asyncio.sleep(by_s)
        return await greet(number, request)

    return answer


@contextmanager
def serving(answer: Answer = greet) -> Iterator[Served]:
    """Serve while the block runs, in a thread with a loop of its own; requests are numbered as they come."""
    numbers, started, served = itertools.count(), threading.Event(), Served(0)
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        number = next(numbers)
        body = await request.read()
        served.requests.append((request.method, request.headers["Host"], request.path_qs, body))
        return await answer(number, request)

    async def run() -> None:
        runner = web.AppRunner(_application(handle))
        await runner.setup()
        # Port 0: the kernel gives one that is free, and nobody takes it meanwhile.
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.port = runner.addresses[0][1]
        started.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert started.wait(PATIENCE_S), "the server did not start"
        yield served
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def _application(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    return application
