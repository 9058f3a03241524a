"""Entry of the orchestrator: read the environment, stand by until it is ours to lead, lead until told to stop."""

from __future__ import annotations

import asyncio
import os
import time

from runyard.journal import Journal
from runyard.process import run_until_told
from services.orchestrator.service import fence_of, serve
from services.orchestrator.settings import parse_settings
from services.orchestrator.succession.leadership import lead
from services.orchestrator.timing import Timing


async def main(journal: Journal) -> None:
    """Run until cancelled."""
    settings, timing = parse_settings(os.environ), Timing(time.monotonic, asyncio.sleep)
    async with lead(settings.directory, settings.part, fence_of(settings), timing, journal) as leadership:
        await leadership.during(serve(settings, journal))


if __name__ == "__main__":
    run_until_told(main)
