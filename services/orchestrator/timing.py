"""Timing: the clock and the way to wait, given to whoever needs them, so that tests need neither."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Timing:
    """A monotonic clock in seconds and a sleep that goes by it; `wall` is the wall clock, in seconds since 1970."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    wall: Callable[[], float] = time.time

    async def within(self, seconds: float, work: Coroutine[Any, Any, object]) -> bool:
        """Wait for work, but no longer than this; False if it was given up, and its own error if it failed."""
        task = asyncio.ensure_future(work)
        timer = asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
                return True
            return False
        finally:
            task.cancel()
            timer.cancel()
            # A cancelled wait may have a lock to give back before anybody goes on.
            await asyncio.gather(task, timer, return_exceptions=True)
