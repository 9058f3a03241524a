"""Pump: takes what containers write from the engine's logs into the store, each entry once, whatever is killed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from runyard import files
from runyard.codec import VERSION
from runyard.contracts import ContainerOwner, decode, encode
from runyard.errors import ContractError, UsageError
from runyard.journal import Journal
from runyard.registry import Registry
from services.logs.intake import Intake, Mark, Tally
from services.logs.limits import Limits, ServiceUse
from services.logs.query import stored_query
from services.logs.sources import Sources
from services.logs.store import FLUSH_S, StoreAway, StoreRefused

TURN_S = 0.25
# One request of the store's.
BATCH_BYTES = 1024**2
RETRY_S = 1.0
# Of one log in a turn, as much as the engine keeps in a file.
TURN_PIECES = 40
# A checkpoint is of a moment so long ago that the store has written what it had then: it writes every FLUSH_S.
KEEP_S = 3.0
AGE_S = 3.0 * FLUSH_S
# Of a container whose files are full of the shortest lines, and whose checkpoint was lost.
_STORED_BYTES = 256 * 1024**2


class RecordStore(Protocol):
    """What the pump needs of the store."""

    async def put(self, tenant: str, records: bytes) -> None:
        """Put in records of a tenant; StoreRefused if none is taken, StoreAway if some may be."""
        ...

    async def ask(self, tenant: str, query: str, *, start: str = ..., most_bytes: int = ...) -> list[dict[str, Any]]:
        """Give the records of a tenant that a query finds; StoreAway if it does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far each container's log is in the store for good, and what was kept of each service until then."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    used: Mapping[str, ServiceUse] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted of a service in this life."""

    lines: int = 0
    bytes: int = 0
    left_out_bytes: int = 0
    refused_lines: int = 0

    def plus(self, tally: Tally) -> Totals:
        """Add what was counted of one of its containers."""
        return Totals(
            self.lines + tally.lines,
            self.bytes + tally.bytes,
            self.left_out_bytes + tally.left_out_bytes,
            self.refused_lines + tally.refused_lines,
        )


class Pump:
    """The pump of one stack; `totals` counts by tenant and service, `behind_bytes` what is written and not read."""

    def __init__(  # noqa: PLR0913 - the last two are what a test gives
        self,
        file: Path,
        sources: Sources,
        store: RecordStore,
        limits: tuple[int, int],
        journal: Journal,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._sources, self._store, self._journal, self._sleep = file, sources, store, journal, sleep
        self._clock = clock
        kept = _load(file)
        self._limits = Limits(*limits, kept.used)
        # Of logs that are not read in this life yet.
        self._marks = dict(kept.marks)
        self._intakes: dict[str, Intake] = {}
        self._batches: dict[str, list[bytes]] = {}
        self._batch_bytes = 0
        self._moments: deque[tuple[float, Checkpoint]] = deque()
        self._told = ""
        self.totals: dict[tuple[str, str], Totals] = {}
        self.behind_bytes = 0

    async def run(self, registry: Registry) -> None:
        """Take turns until cancelled."""
        while True:
            try:
                await self.turn(registry.there.owners, known=registry.connected)
            except OSError as error:
                # A full disk, say: nothing was noted that is not in the store.
                self._tell("turn failed", str(error))
            await self._sleep(TURN_S)

    async def turn(self, owners: Mapping[str, ContainerOwner], *, known: bool) -> None:
        """Take in what is new; OSError if a file cannot be read or written, StoreAway if the store may have some."""
        self._sources.look(self._clock(), known=known)
        there = self._sources.there
        self._marks = {container: mark for container, mark in self._marks.items() if container in there}
        places = {container: mark.place for container, mark in self._marks.items()}
        for container, source in self._sources.claim(owners, self._intakes, places).items():
            mark = self._marks.pop(container, None)
            stored = await self._stored(owners[container].tenant, container, mark)
            self._intakes[container] = Intake(
                container, owners[container], source, self._limits, stored, mark.time if mark else ""
            )
        await self._read()
        now = time.time()
        for container, intake in list(self._intakes.items()):
            self._add(intake, intake.settle(now))
            if intake.source.gone and not intake.source.behind_bytes():
                self._add(intake, intake.end())
                intake.source.close()
                self._count(self._intakes.pop(container))
        await self._send()
        for intake in self._intakes.values():
            self._count(intake)
        self.behind_bytes = sum(each.source.behind_bytes() for each in self._intakes.values())
        self._keep()
        self._told = ""

    async def _read(self) -> None:
        """Read all logs, a piece of each after the other, so that one that floods holds up no other."""
        reading = list(self._intakes.values())
        for _ in range(TURN_PIECES):
            more = []
            for intake in reading:
                piece = intake.source.read()
                if piece is None:
                    continue
                more.append(intake)
                self._add(intake, intake.take(piece))
                if self._batch_bytes >= BATCH_BYTES:
                    await self._send()
                # Whoever asks for logs gets a turn.
                await asyncio.sleep(0)
            reading = more

    def _add(self, intake: Intake, records: Iterable[bytes]) -> None:
        batch = self._batches.setdefault(intake.owner.tenant, [])
        for record in records:
            batch.append(record)
            self._batch_bytes += len(record)

    async def _send(self) -> None:
        """Put in all that is batched, however long it takes.

        StoreAway ends this life: the next one asks what the store has of it.
        """
        for tenant, batch in self._batches.items():
            while batch:
                try:
                    await self._store.put(tenant, b"".join(batch))
                    batch.clear()
                except StoreRefused as error:
                    self._tell("store refused", str(error))
                    await self._sleep(RETRY_S)
        self._batch_bytes = 0

    async def _stored(self, tenant: str, container: str, mark: Mark | None) -> list[tuple[str, str]]:
        """Find what the store has of a container after its mark, from a life that was killed."""
        start = _before(mark.time) if mark else ""
        while True:
            try:
                found = await self._store.ask(tenant, stored_query(container), start=start, most_bytes=_STORED_BYTES)
                return [(each["file"], each["offset"]) for each in found]
            except StoreAway as error:
                self._tell("store away", str(error))
                await self._sleep(RETRY_S)

    def _count(self, intake: Intake) -> None:
        key = (intake.owner.tenant, intake.owner.service)
        self.totals[key] = self.totals.get(key, Totals()).plus(intake.tally)
        intake.tally = Tally()

    def _moment(self) -> Checkpoint:
        marks = {container: mark for container, each in self._intakes.items() if (mark := each.mark)}
        return Checkpoint(self._marks | marks, self._limits.export())

    def _keep(self) -> None:
        """Note this moment, and keep the last one that is old enough. In it, all that was read is in the store."""
        now = self._clock()
        if not self._moments or now - self._moments[-1][0] >= KEEP_S:
            services = frozenset(each.service for each in self._intakes.values())
            self._limits.keep(services, time.strftime("%Y-%m-%d", time.gmtime()))
            self._moments.append((now, self._moment()))
        old = None
        while self._moments and now - self._moments[0][0] >= AGE_S:
            old = self._moments.popleft()[1]
        if old is not None:
            files.write(self._file, encode(old))

    def close(self) -> None:
        """Keep the last moment, now that the store has ended and written all that it had."""
        if self._moments:
            files.write(self._file, encode(self._moments[-1][1]))

    def _tell(self, event: str, problem: str) -> None:
        # Once for each reason, however often it is tried.
        if problem != self._told:
            self._journal.write(event, level="warning", problem=problem)
        self._told = problem


def _before(time: str) -> str:
    """Give a time a second before: the engine may write lines of two outputs in another order than it took them."""
    return (datetime.fromisoformat(time) - timedelta(seconds=1)).isoformat()


def _load(file: Path) -> Checkpoint:
    try:
        return decode(Checkpoint, file.read_bytes())
    except FileNotFoundError:
        return Checkpoint()
    except ContractError as error:
        raise UsageError(f"checkpoint {file}: {error} (remove it to read all logs anew)") from error
