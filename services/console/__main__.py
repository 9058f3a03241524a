"""Entry of the console: read the environment, join the parts, run until told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from runyard.errors import RunyardError
from runyard.journal import JsonJournal
from services.console.service import Service
from services.console.settings import parse_settings


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    service = Service(parse_settings(os.environ), JsonJournal())
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await service.run()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except asyncio.CancelledError:
        sys.exit(0)
    except RunyardError as error:
        JsonJournal().write("stopped", level="error", error=str(error))
        sys.exit(error.exit_code)
