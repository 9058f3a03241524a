"""Upkeep: the parts of the platform beside the leader, started again when somebody has stopped them.

The engine restarts a part that dies by itself, and leaves one alone that was stopped or killed through it. What an
update replaces is removed by force, so it is never seen stopped; what is between states is left alone.
"""

from __future__ import annotations

import asyncio

from runyard.contracts import PartStatus
from runyard.errors import HostError, HostUnreachable
from runyard.journal import Journal
from services.orchestrator.engine.port import PartEngine, SeenPart
from services.orchestrator.timing import Timing

# Events are only a wake-up and can be lost; this bounds how long a part can stay down unseen.
RESYNC_S = 5.0
# `docker restart` has a part stopped for some milliseconds, and starts it itself.
GRACE_S = 0.3
# An engine that does not answer is asked again after this.
RETRY_S = 0.5
GONE = "its container is gone: the next update makes it"


class Upkeep:
    """Keeps `parts` of the platform going; the one that `leads` is this process's own."""

    def __init__(
        self, engine: PartEngine, parts: tuple[str, ...], leads: str, timing: Timing, journal: Journal
    ) -> None:
        self.leads = leads
        self._engine = engine
        self._timing = timing
        self._journal = journal
        self._wake = asyncio.Event()
        self._found = {part: PartStatus(part, "gone", reason=GONE) for part in parts if part != leads}
        # Since when a part was seen stopped, by its container.
        self._down: dict[str, float] = {}

    def status(self) -> tuple[PartStatus, ...]:
        """Give the parts as they were found last."""
        return tuple(self._found.values())

    async def run(self) -> None:
        """Look and start again until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            while True:
                self._wake.clear()
                pause = await self.look()
                await self._timing.within(pause, self._wake.wait())

    async def look(self) -> float:
        """Look at all parts, start what must be started, and give the seconds until the next look is due."""
        pauses = [RESYNC_S]
        for part in self._found:
            try:
                pauses.append(await self._look(part))
            except HostUnreachable:
                # No answer is no observation, and the reconciler says that there is none.
                pauses.append(RETRY_S)
            except HostError as error:
                self._note(part, "stopped", str(error))
        return min(pauses)

    async def _look(self, part: str) -> float:
        seen = await self._engine.look(part)
        if seen is None or seen.state not in ("stopped", "paused"):
            self._down.pop(part, None)
            state, was = "gone" if seen is None else seen.state, self._found[part]
            self._note(part, state, GONE if seen is None else was.reason if was.restarts else "")
            return RESYNC_S
        now = self._timing.clock()
        due = self._down.setdefault(part, now) + GRACE_S
        if now < due:
            return due - now
        await self._start(part, seen)
        return RESYNC_S

    async def _start(self, part: str, seen: SeenPart) -> None:
        await (self._engine.resume if seen.state == "paused" else self._engine.start)(seen.id)
        self._down.pop(part)
        how = "paused" if seen.state == "paused" else f"stopped with code {seen.exit_code}"
        found = self._found[part]
        self._found[part] = PartStatus(part, "running", found.restarts + 1, f"it was {how}")
        self._journal.write("part started again", level="warning", part=part, was=how)

    def _note(self, part: str, state: str, reason: str) -> None:
        before = self._found[part]
        self._found[part] = PartStatus(part, state, before.restarts, reason)
        if reason and (state, reason) != (before.state, before.reason):
            self._journal.write("part is down", level="warning", part=part, state=state, error=reason)

    async def _watch(self) -> None:
        """Turn the engine's events into looks, for ever; a broken stream means that some were missed."""
        while True:
            try:
                async for _ in self._engine.events():
                    self._wake.set()
            except HostError:
                # Looks that fail say so.
                pass
            self._wake.set()
            await self._timing.sleep(RETRY_S)
