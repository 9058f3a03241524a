"""Stand-by: listens to the leader's pulse and waits for the lease; a leader that is silent is killed before it is ours.

Docker checks no fencing token: what a leader that only slept asks of it on waking would be done. So it must be dead,
which the lease tells, for the kernel lets go of it then and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from runyard.errors import RunyardError
from runyard.journal import Journal
from services.orchestrator.succession.lease import Lease
from services.orchestrator.succession.pulse import BEAT_S
from services.orchestrator.timing import Timing

# So many beats missed in a row, 1 s, are no hiccup. They are counted by our own looks: a machine so busy that we sleep
# too says nothing of the leader.
MOST_MISSED = 5
# The first look after the leader's end comes before its lock is gone, the next one after it.
AGAIN_S = 0.02
# Kills the leader whose part is named, and returns when it is dead; a RunyardError or OSError if it cannot.
Fence = Callable[[str], Awaitable[None]]


class StandBy:
    """Waits for the lease; `fence` kills the leader whose part is named, and raises a RunyardError when it cannot."""

    def __init__(
        self,
        lease: Lease,
        pulse: Path,
        fence: Fence,
        timing: Timing,
        journal: Journal,
    ) -> None:
        self._lease = lease
        self._pulse = pulse
        self._fence = fence
        self._timing = timing
        self._journal = journal
        self._missed = 0
        self._told = ""

    async def wait(self) -> None:
        """Wait until the lease is ours."""
        if self._lease.take():
            return
        self._journal.write("standing by", leader=self._lease.holder())
        while not self._lease.take():
            await self._listen()
            if self._missed >= MOST_MISSED:
                await self._end_leader()
        self._journal.write("taking over")

    async def _listen(self) -> None:
        """Listen until the leader's pulse ends or it has been silent for too long."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._pulse)
        except OSError:
            # It has the lease and no pulse yet, or none any more.
            self._missed += 1
            await self._timing.sleep(BEAT_S)
            return
        try:
            while self._missed < MOST_MISSED:
                heard = await self._hear(reader)
                if heard is None:
                    self._missed += 1
                elif heard:
                    self._missed = 0
                else:
                    await self._timing.sleep(AGAIN_S)
                    return
        finally:
            writer.close()

    async def _hear(self, reader: asyncio.StreamReader) -> bytes | None:
        """Give what comes within a beat: None for nothing, and b"" for the end."""
        heard = list[bytes]()

        async def read() -> None:
            try:
                heard.append(await reader.read(64))
            except OSError:
                heard.append(b"")

        return heard[0] if await self._timing.within(BEAT_S, read()) else None

    async def _end_leader(self) -> None:
        leader, self._missed = self._lease.holder(), 0
        told = f"leader {leader} is silent"
        try:
            await self._fence(leader)
        except (RunyardError, OSError) as error:
            # What it was is said once; it is tried again as long as it is so.
            told = f"{told} and could not be killed: {error}"
        if told != self._told:
            self._journal.write("leader lost", level="warning", error=told)
        self._told = told
