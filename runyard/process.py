"""Process: how each of the platform's programs in Python begins and ends: its signals, its journal, its exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from runyard.errors import RunyardError
from runyard.journal import Journal, JsonJournal


def run_until_told(main: Callable[[Journal], Awaitable[None]]) -> None:
    """Run `main` with a journal on standard output until it ends, or SIGTERM or SIGINT cancels it.

    Ends the process: with 0 where a signal did it, with the code of an error of ours, after its last line.
    """
    journal = JsonJournal()
    try:
        asyncio.run(_heeding(main(journal)))
    except asyncio.CancelledError:
        sys.exit(0)
    except RunyardError as error:
        journal.write("stopped", level="error", error=str(error))
        sys.exit(error.exit_code)


async def _heeding(work: Awaitable[None]) -> None:
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await work
