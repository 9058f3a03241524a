"""Serving: several applications in one process of the platform, by uvicorn, until told to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

# What is under way when the process is told to end.
END_S = 5


class Server(uvicorn.Server):
    """A server that leaves the signals to the process, which has several of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def make_server(app: Callable[..., Any], **options: Any) -> Server:
    """Make the server of an ASGI application; `options` are uvicorn's, such as where it listens."""
    limits: dict[str, Any] = {"limit_concurrency": 64, "timeout_keep_alive": 15, "timeout_graceful_shutdown": END_S}
    quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "lifespan": "off", "ws": "none"}
    return Server(uvicorn.Config(app, **limits, **quiet, **options))


async def serve_together(
    servers: Sequence[Server], begun: Callable[[], object], ending: Callable[[], object] = lambda: None
) -> None:
    """Serve until cancelled, or until any ends by itself, which takes the others along.

    `begun` is told at first, and `ending` before the servers are told to end. The engine starts a process anew whose
    servers have ended.
    """
    tasks = [asyncio.create_task(each.serve()) for each in servers]
    try:
        begun()
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending()
        for each in servers:
            each.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)
