"""Service: the store, the pump, the registry and the listeners of the logs' part, joined; one that ends, ends all."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector

from runyard import files
from runyard.errors import HostError, UsageError
from runyard.journal import Journal
from runyard.registry import Registry
from services.logs.api import make_reading, make_status
from services.logs.exposition import Exposition
from services.logs.pump import Pump
from services.logs.settings import Settings
from services.logs.sources import Sources
from services.logs.store import Store

SHUTDOWN_S = 1.0
# The store has tenants' logs; nobody but this container's user has business there.
_MODE = 0o700


async def serve(settings: Settings, journal: Journal) -> None:
    """Serve until cancelled.

    UsageError if the listener cannot be opened or the checkpoint is none, HostError when the store ends by itself: the
    engine starts all of it anew, and what the store lost is read again.
    """
    settings.directory.mkdir(parents=True, exist_ok=True)
    settings.directory.chmod(_MODE)
    files.clear(settings.directory)
    store = Store(settings.store_program, settings.directory / "store", settings.retention_days, journal)
    sources = Sources(settings.containers_directory)
    # This part's own container is there wherever the engine has them.
    if not sources.containers():
        raise UsageError(f"containers {settings.containers_directory}: must have the engine's, is its data elsewhere?")
    limits = (settings.bytes_per_second, settings.bytes_per_day)
    pump = Pump(settings.directory / "checkpoint.json", sources, store, limits, journal)
    registry = Registry(settings.registry_socket, journal)
    async with AsyncExitStack() as stack:
        # In the order in which they end, from last to first: the checkpoint is of what the store has written.
        stack.callback(pump.close)
        stack.push_async_callback(store.stop)
        await store.start(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        await _listen(settings, store, pump, stack)
        journal.write("started", stack=settings.stack, address=f"{settings.host}:{settings.port}")
        await _work(store, pump, registry)


async def _listen(settings: Settings, store: Store, pump: Pump, stack: AsyncExitStack) -> None:
    metrics = CollectorRegistry()
    metrics.register(Exposition(pump))
    ProcessCollector(namespace="runyard_logs", registry=metrics)
    # Of a process that was killed.
    settings.socket.unlink(missing_ok=True)
    await web.UnixSite(await _runner(make_reading(store), stack), str(settings.socket)).start()
    try:
        await web.TCPSite(await _runner(make_status(metrics), stack), settings.host, settings.port).start()
    except OSError as error:
        raise UsageError(f"listen on {settings.host}:{settings.port}: {error.strerror or error}") from error


async def _runner(app: web.Application, stack: AsyncExitStack) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner


async def _work(store: Store, pump: Pump, registry: Registry) -> None:
    """Follow, pump and watch the store until any ends.

    The pump does not wait for the registry: it holds what there is until it is told whose that is.
    """

    async def watching() -> None:
        raise HostError(f"store: ended with code {await store.ended()}")

    tasks = [asyncio.create_task(each) for each in (registry.run(), pump.run(registry), watching())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
