"""An orchestrator that tells a test's story on a socket, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from runyard.contracts import InstanceStatus, RevisionStatus, encode


def event(kind: str, key: str, value: Any, id_: str = "") -> str:
    """Write an event as the orchestrator does."""
    text = "null" if value is None else encode(value)
    head = f"id: {id_}\n" if id_ else ""
    return f'{head}event: {kind}\ndata: {{"key":{json.dumps(key)},"value":{text}}}\n\n'


def whole(id_: str, *things: InstanceStatus | RevisionStatus) -> str:
    """Write everything as it is, as a stream begins."""
    text = "event: reset\ndata: {}\n\n"
    for each in things:
        if isinstance(each, InstanceStatus):
            text += event("instance", each.instance, each)
        else:
            text += event("revision", f"{each.tenant}/{each.revision}", each)
    return f"{text}id: {id_}\nevent: synced\ndata: {{}}\n\n"


class FakeOrchestrator:
    """What is put into `said` goes out on the stream; None ends it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.said: asyncio.Queue[str | None] = asyncio.Queue()
        self.asked: list[str] = []
        self.status = 200

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Last-Event-ID", ""))
        if self.status != 200:
            return web.Response(status=self.status)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        while (text := await self.said.get()) is not None:
            try:
                await answer.write(text.encode())
            except ConnectionError:
                # Whoever asked has gone, and what is said is for the one that asks next.
                self.said.put_nowait(text)
                break
        return answer

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeOrchestrator]:
        app = web.Application()
        app.router.add_get("/v1/watch", self._watch)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(self._socket)).start()
        try:
            yield self
        finally:
            await runner.cleanup()
