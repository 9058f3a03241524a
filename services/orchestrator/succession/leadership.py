"""Leadership: from taking the lease to letting go of it, with a pulse that tells the stand-by that we live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runyard.errors import HostError
from runyard.journal import Journal
from services.orchestrator.succession.lease import Lease
from services.orchestrator.succession.pulse import BEAT_S, Pulse
from services.orchestrator.succession.standby import Fence, StandBy
from services.orchestrator.timing import Timing


class Leadership:
    """The lease, which is ours, and our pulse."""

    def __init__(self, lease: Lease, pulse: Pulse) -> None:
        self._lease = lease
        self._pulse = pulse

    async def during(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work and show that we live; HostError if somebody took the lease's file away, for another may lead now."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                if not self._lease.is_current():
                    raise HostError("keep the lease: its file was removed or replaced")
                self._pulse.show_life()
                await asyncio.wait({task}, timeout=BEAT_S)
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def lead(directory: Path, part: str, fence: Fence, timing: Timing, journal: Journal) -> AsyncIterator[Leadership]:
    """Stand by until the lease in `directory` is ours, and lead until the end of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    lease, socket = Lease(directory / "lease", part), directory / "lease.sock"
    try:
        await StandBy(lease, socket, fence, timing, journal).wait()
        with Pulse(socket) as pulse:
            yield Leadership(lease, pulse)
    finally:
        lease.release()
