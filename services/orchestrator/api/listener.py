"""Listener: bounded connections beneath the API, so that whoever fills it keeps nobody from being served or healed.

The library bounds what a request is made of. It knows no limit of connections and no deadline of a head, so a
connection that says nothing, or half a head, would be kept for as long as somebody likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aiohttp import web

from runyard.journal import Journal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# Host and port, or a unix socket.
Place = tuple[str, int] | Path

# As many as one turn of the loop accepts; what waits longer is the kernel's to hold.
BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Limits:
    """What the connections of a listener may take: how many at once, and seconds.

    `idle_s` pass between the accept, or an answer, and the first byte of the next request; `head_s` between that and
    the end of its head. `stalled_s` is how long a client may take nothing of its answer.
    """

    connections: int
    idle_s: float
    head_s: float = 5.0
    stalled_s: float = 30.0


# Readers on the host are a person, a few scripts and a scraper. Each connection is a descriptor of the 1,024 that a
# process usually has, and the engine, the gateway and probes need theirs.
READING = Limits(connections=128, idle_s=15.0)
# An update's relay keeps one while rollouts take their time.
CONTROL = Limits(connections=256, idle_s=3600.0)


class Connections:
    """The connections of a listener. When they are all taken, the one that has waited longest for a head gives way.

    So half-requests, however many, cost each other their place, and one that comes whole is answered.
    """

    def __init__(self, limits: Limits, journal: Journal) -> None:
        self.limits = limits
        self._journal = journal
        self._open: dict[asyncio.BaseTransport, _Connection] = {}
        # Those whose head is not whole, the longest first.
        self._waiting: dict[_Connection, None] = {}
        self._full = False

    def __len__(self) -> int:
        return len(self._open)

    @web.middleware
    async def mark(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note that a request's head is whole, and that it was answered."""
        connection = self._open.get(request.transport) if request.transport is not None else None
        if connection is None:
            return await handler(request)
        connection.work()
        try:
            return await handler(request)
        finally:
            # The answer is written in this turn of the loop, after we return.
            asyncio.get_running_loop().call_soon(connection.wait)

    def enter(self, connection: _Connection, transport: asyncio.BaseTransport) -> bool:
        """Let a connection in; False when all others are at work."""
        if len(self._open) >= self.limits.connections:
            if not self._full:
                self._full = True
                self._journal.write("connections full", level="warning", connections=len(self._open))
            idle = next((each for each in self._waiting if not each.writing), None)
            if idle is None:
                return False
            idle.abort()
        elif len(self._open) < self.limits.connections // 2:
            self._full = False
        self._open[transport] = connection
        return True

    def leave(self, connection: _Connection, transport: asyncio.BaseTransport) -> None:
        """Forget a connection; one that was forgotten is no error."""
        self._open.pop(transport, None)
        self._waiting.pop(connection, None)

    def note_waiting(self, connection: _Connection) -> None:
        """Note that a connection waits for a head from now on."""
        self._waiting[connection] = None

    def note_working(self, connection: _Connection) -> None:
        """Note that a connection has a request."""
        self._waiting.pop(connection, None)


class _Connection(asyncio.Protocol):
    """One connection: the library's protocol, with deadlines around it."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._entered = self._working = self._in_head = False
        self._left = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    @property
    def writing(self) -> bool:
        """Whether an answer is still on its way."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._connections.enter(self, transport):
            self._transport.abort()
            return
        self._entered = True
        self._inner.connection_made(transport)
        self.wait()

    def data_received(self, data: bytes) -> None:
        if not self._working and not self._in_head:
            self._in_head = True
            self._set_deadline(self._connections.limits.head_s)
        if self._entered:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._entered else None

    def pause_writing(self) -> None:
        self._stalled = self._loop.call_later(self._connections.limits.stalled_s, self.abort)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._deadline, self._stalled):
            if timer is not None:
                timer.cancel()
        if self._transport is not None:
            self._connections.leave(self, self._transport)
        # An answer that was begun may still say that it has ended.
        self._transport = None
        if self._entered:
            self._inner.connection_lost(error)

    def work(self) -> None:
        """Begin on a request: from here on its handler has its own deadlines."""
        self._working, self._in_head = True, False
        self._connections.note_working(self)
        if self._deadline is not None:
            self._deadline.cancel()

    def wait(self) -> None:
        """Wait for the next head."""
        if self._transport is None:
            return
        self._working = self._in_head = False
        if not self._transport.is_closing():
            self._connections.note_waiting(self)
        self._set_deadline(self._connections.limits.idle_s)

    def abort(self) -> None:
        """End the connection now, whatever is on its way."""
        if self._transport is not None:
            self._connections.leave(self, self._transport)
            self._transport.abort()

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        left = self._transport.get_write_buffer_size() if self._transport is not None else 0
        if left and left != self._left:
            # The client takes of its answer, slowly.
            self._left = left
            self._set_deadline(self._connections.limits.stalled_s)
        else:
            self.abort()


class BoundedSite(web.BaseSite):
    """An application at a TCP address, or at a unix socket of our user's alone, with bounded connections."""

    def __init__(self, runner: web.AppRunner, place: Place, connections: Connections) -> None:
        super().__init__(runner)
        self._place = place
        self._connections = connections

    @property
    def name(self) -> str:
        """Name the place."""
        return str(self._place) if isinstance(self._place, Path) else "{}:{}".format(*self._place)

    async def start(self) -> None:
        """Listen; OSError if the place cannot be had."""
        await super().start()
        server, loop = self._runner.server, asyncio.get_running_loop()
        assert server is not None  # noqa: S101 - the runner was set up, or start() above had said so

        def connected() -> _Connection:
            return _Connection(self._connections, server())

        if isinstance(self._place, Path):
            # Left by one that was killed: whoever opens a site here has seen to it that it is dead.
            self._place.unlink(missing_ok=True)
            self._server = await loop.create_unix_server(connected, self._place, backlog=BACKLOG)
            self._place.chmod(0o600)
        else:
            self._server = await loop.create_server(connected, *self._place, backlog=BACKLOG)


async def open_site(app: web.Application, place: Place, connections: Connections, shutdown_s: float) -> web.AppRunner:
    """Serve an application at a place and give its runner, to be cleaned up; OSError if the place cannot be had.

    A client that goes away takes its request with it; those under way at the end have `shutdown_s` seconds.
    """
    # Before all others: what they do is done for a request whose head is whole.
    app.middlewares.insert(0, connections.mark)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=shutdown_s)
    await runner.setup()
    try:
        await BoundedSite(runner, place, connections).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
