"""Recorder: what the gateway tells of each service's load, laid to minutes and kept for simulations.

The last minutes are in memory, all others on disk: a service that is busy costs a file of some 20 KB a day, and one
that sleeps nothing. What came while nobody asked the gateway is not recorded, and neither is what a kill took along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import partial

from runyard.contracts import RECORDED_DAYS, GatewayLoad, RecordedLoad, RecordedMinute, RevisionLoad
from runyard.errors import NotFound
from runyard.journal import Journal
from runyard.names import service_key
from services.orchestrator.model.revision import Revision
from services.orchestrator.store.loads import DAY_S, LoadStore, add_to

# A kill loses no more than this. Written more often, the files of a thousand busy services would cost their share of a
# core; the loop writes one file at most whenever it reads the load, so they never come all at once.
WRITE_S = 600
# After a longer pause between two answers nobody knows in which second requests came.
PAUSE_MS = 2000


class Recorder:
    """The load of each service by the minute: `tenant/service` to its minutes that are not on disk yet."""

    def __init__(self, store: LoadStore, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        self._writes = True
        self._life = ""
        self._at_ms = -1
        # What was told last of each revision, and when, in this life of the gateway.
        self._told: dict[str, tuple[RevisionLoad, int]] = {}
        # In the order in which their oldest minutes began.
        self._minutes: dict[str, dict[int, RecordedMinute]] = {}
        self._seconds: dict[str, tuple[int, int]] = {}
        self._followed: Collection[str] = ()
        self._day = -1

    def follow(self, services: Collection[str], now_unix_s: float) -> None:
        """Record these services, as `tenant/service`; the same object again is no change."""
        if services is self._followed:
            return
        self._followed = services
        self._try(lambda: self._store.begin(services, now_unix_s))

    def forget(self, service: str) -> None:
        """Forget a service that was deleted."""
        self._minutes.pop(service, None)
        self._seconds.pop(service, None)
        self._try(lambda: self._store.forget(service))

    def take(self, load: GatewayLoad, revisions: Mapping[str, Revision], now_unix_s: float) -> None:
        """Take what the gateway tells; `revisions` say whose a load is."""
        # What the first answer tells came before this process began, and is recorded as far as it was seen.
        first, known = not self._life, load.life == self._life
        paused = known and load.at_ms - self._at_ms > PAUSE_MS
        if not known:
            self._life, self._told = load.life, {}
        self._at_ms = load.at_ms
        for key, told in load.revisions.items():
            before = self._told.get(key)
            self._told[key] = told, load.at_ms
            if before is None or before[0].since_ms != told.since_ms:
                # Never told before, or begun anew: all of it is new.
                before = RevisionLoad(0, 0, 0, 0, told.since_ms), told.since_ms
            revision = revisions.get(key)
            if revision is not None and not first:
                self._lay(revision.service_key, _between(before, self._told[key]), now_unix_s, paused=paused)
        today = int(now_unix_s) // DAY_S
        if today != self._day:
            self._day = today
            self._told = {key: told for key, told in self._told.items() if key in revisions}
            self._try(partial(self._store.prune, now_unix_s))

    def _lay(self, service: str, more: tuple[int, int], now_unix_s: float, *, paused: bool) -> None:
        arrivals, served_ms = more
        if arrivals < 0 or not (arrivals or served_ms):
            return
        second, number = int(now_unix_s), int(now_unix_s) // 60
        busiest = 0
        if not paused:
            of, count = self._seconds.get(service, (second, 0))
            busiest = arrivals + (count if of == second else 0)
            self._seconds[service] = second, busiest
        add_to(self._minutes.setdefault(service, {}), (number, arrivals, served_ms, busiest))

    def write(self, now_unix_s: float, *, everything: bool = False) -> None:
        """Write the minutes of the service whose oldest is due, if there is one; or of all."""
        for service in list(self._minutes) if everything else list(self._minutes)[:1]:
            minutes = self._minutes[service]
            # A clock that was set back must not keep them for ever.
            if not everything and 0 <= now_unix_s - 60 * next(iter(minutes)) < WRITE_S:
                return
            # Whether the disk takes them or not: memory is bounded.
            del self._minutes[service]
            self._try(partial(self._store.add, service, minutes))

    def _try(self, change: Callable[[], None]) -> None:
        """Change what is on disk; a disk that cannot loses what is recorded, and is told of once."""
        try:
            change()
            self._writes = True
        except OSError as error:
            if self._writes:
                self._writes = False
                self._journal.write("load not recorded", level="error", error=str(error))

    async def read(self, tenant: str, service: str, now_unix_s: float) -> RecordedLoad:
        """Give what is recorded of a service; NotFound if it never was there."""
        key = service_key(tenant, service)
        if key not in self._store.since:
            raise NotFound(f"recorded load {key}: must be of a service of the stack, got none of its name")
        since = max(float(self._store.since[key]), now_unix_s - RECORDED_DAYS * DAY_S)
        while True:
            held = self._minutes.get(key)
            # Ten thousand minutes take a tenth of a second to read, in which probes must not wait.
            found = await asyncio.to_thread(lambda: list(self._store.read(key, since, now_unix_s)))
            # Written meanwhile, they would count twice.
            if self._minutes.get(key) is held:
                break
        minutes = {each[0]: each for each in found}
        for each in (held or {}).values():
            add_to(minutes, each)
        ordered = tuple(minutes[number] for number in sorted(minutes))
        return RecordedLoad(tenant, service, int(since), int(now_unix_s), ordered)


def _between(before: tuple[RevisionLoad, int], now: tuple[RevisionLoad, int]) -> tuple[int, int]:
    """Give what came between two answers, and the milliseconds that requests spent at instances."""
    (old, then_ms), (new, now_ms) = before, now
    # As many on average as at both ends; how long each waited is not told.
    waited_ms = (old.waiting + new.waiting) * max(0, now_ms - then_ms) // 2
    return new.arrivals - old.arrivals, max(0, new.request_ms - old.request_ms - waited_ms)
