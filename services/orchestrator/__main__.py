"""Entry of the orchestrator: read the environment, stand by until it is ours to lead, lead until told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

from runyard.errors import RunyardError
from runyard.journal import JsonJournal
from services.orchestrator.service import fence_of, serve
from services.orchestrator.settings import parse_settings
from services.orchestrator.succession.leadership import lead
from services.orchestrator.timing import Timing


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings, journal = parse_settings(os.environ), JsonJournal()
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    timing = Timing(time.monotonic, asyncio.sleep)
    async with lead(settings.directory, settings.part, fence_of(settings), timing, journal) as leadership:
        await leadership.during(serve(settings, journal))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        sys.exit(0)
    except RunyardError as error:
        JsonJournal().write("stopped", level="error", error=str(error))
        sys.exit(error.exit_code)
