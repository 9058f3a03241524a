"""Service: the meter with its files, its sources and its listener, wired together; one turn a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import AsyncExitStack

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector

from runyard import files
from runyard.cgroups import Cgroups
from runyard.contracts import decode, encode
from runyard.errors import ContractError, UsageError
from runyard.journal import Journal
from runyard.registry import Registry
from services.meter.account import Account, Checkpoint, first_checkpoint
from services.meter.api import Api
from services.meter.exposition import Exposition, Readings
from services.meter.gateway import read_metrics
from services.meter.settings import Settings
from services.meter.spool import Spool
from services.meter.tail import Tail

# The gateway writes its lines within a second.
TURN_S = 1.0
# Readings of the kernel, and the checkpoint, which is as much as a kill makes it read again.
READ_MS = 5_000
# How long a start waits for the orchestrator where the last checkpoint knows what there was.
REGISTRY_WAIT_S = 10.0
SHUTDOWN_S = 1.0


class Meter:
    """The meter of one host: `turn` reads what is new, and what was counted is kept before anybody is told of it."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        settings.directory.mkdir(parents=True, exist_ok=True)
        files.clear(settings.directory)
        self._journal = journal
        self._file = settings.directory / "checkpoint.json"
        self.spool = Spool(settings.directory / "spool")
        self.registry = Registry(settings.registry_socket, journal)
        kept = self._load()
        self.is_first = kept is None
        state = kept or first_checkpoint(_now_ms())
        self.account = Account(state)
        self.tail = Tail(settings.requests_directory, state.tail)
        self.cgroups = Cgroups(settings.cgroup_directory)
        self.readings = Readings(lost_files=state.tail.lost_files)
        self._looked_ms = self._kept_ms = 0
        self._refused = self.account.refused
        self._flush()

    def _load(self) -> Checkpoint | None:
        try:
            return decode(Checkpoint, self._file.read_bytes())
        except FileNotFoundError:
            return None
        except ContractError as error:
            # It is written whole or not at all: this is of another version, or somebody else's.
            raise UsageError(f"checkpoint {self._file}: {error} (remove it to begin a new metering)") from error

    async def start(self) -> None:
        """Learn what there is and read all that was written meanwhile, so that no count is ever told that falls."""
        if self.is_first:
            # Without a checkpoint nobody's line could be told from anybody's.
            await self.registry.known.wait()
            self.tail.skip()
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REGISTRY_WAIT_S):
                    await self.registry.known.wait()
        await self.turn()

    async def run(self) -> None:
        """Take turns until cancelled."""
        while True:
            # On whole seconds, so that readings fall on the borders of windows.
            await asyncio.sleep(TURN_S - time.time() % TURN_S)
            try:
                await self.turn()
            except OSError as error:
                # A full disk, say: what was read is counted, and kept once there is room.
                self._journal.write("turn failed", level="error", error=str(error))

    async def turn(self) -> None:
        """Read what is new, close what is over, and keep it; OSError if a file cannot be read or written."""
        now = _now_ms()
        if self.registry.changed:
            self.registry.changed = False
            self._look(now)
            self.account.follow(self.registry.there.instances.values(), now)
            self.cgroups.keep({run.identity.container for run in self.account.windows.live})
        elif now // READ_MS != self._looked_ms // READ_MS:
            self._look(now)
        await self._read(now)
        self.account.close(now)
        if self.account.pending or now // READ_MS != self._kept_ms // READ_MS:
            self._keep(now)

    def _look(self, now: int) -> None:
        known = self.registry.connected
        self.readings.counters = dict(self.account.observe(self.cgroups.count, now, known=known))
        self._looked_ms = now

    async def _read(self, now: int) -> None:
        for lines in self.tail.pieces():
            self.account.take(lines, now)
            # Others, such as a scrape, get their turn.
            await asyncio.sleep(0)
        self.account.read_ms = now
        self.readings.behind_bytes, self.readings.lost_files = self.tail.behind_bytes(), self.tail.lost_files
        if self.account.refused != self._refused:
            refused = self.account.refused - self._refused
            self._journal.write("lines refused", level="warning", lines=refused, last=self.account.refusal)
            self._refused = self.account.refused

    def _keep(self, now: int) -> None:
        # In this turn of the loop: what is written is what was counted, and nothing else happens in between.
        files.write(self._file, encode(self.account.export(self.tail.export())))
        self._kept_ms = self.readings.checkpoint_ms = now
        self._flush()

    def _flush(self) -> None:
        """Hand closed windows to the spool, now that a checkpoint has them."""
        while self.account.pending:
            self.spool.put(self.account.pending[0])
            del self.account.pending[0]

    def close(self) -> None:
        """Keep what was counted."""
        self._keep(_now_ms())
        self.tail.close()


async def serve(settings: Settings, journal: Journal) -> None:
    """Serve until cancelled; UsageError if the listener cannot be opened or the checkpoint is not one."""
    meter = Meter(settings, journal)
    following = asyncio.create_task(meter.registry.run())
    metering = asyncio.create_task(_serve(meter, settings, journal))
    try:
        done, _ = await asyncio.wait({following, metering}, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in (following, metering):
            each.cancel()
        await asyncio.gather(following, metering, return_exceptions=True)


async def _serve(meter: Meter, settings: Settings, journal: Journal) -> None:
    async with AsyncExitStack() as stack:
        await meter.start()
        stack.callback(meter.close)
        metrics = CollectorRegistry()
        metrics.register(Exposition(meter.account, meter.registry, meter.spool, meter.readings))
        ProcessCollector(namespace="runyard_meter", registry=metrics)
        api = Api(metrics, lambda: read_metrics(settings.gateway_socket), meter.spool)
        runner = web.AppRunner(api.app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            raise UsageError(f"listen on {settings.host}:{settings.port}: {error.strerror or error}") from error
        journal.write("started", stack=settings.stack, address=f"{settings.host}:{settings.port}")
        await meter.run()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
