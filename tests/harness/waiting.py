"""Waiting: the one place where a test waits for something real that says nothing when it happens."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from http.client import HTTPException

# A test that waits longer than this for something that takes milliseconds has found a fault.
PATIENCE_S = 60
# What a busy machine may add to a time that a test asserts; far below every time that would count as "not at all".
SLACK_S = 4
# What does not answer yet, or in no words.
NOT_YET = (OSError, HTTPException, ValueError)


def until(
    condition: Callable[[], object], what: str = "", within_s: float = PATIENCE_S, every_s: float = 0.01
) -> float:
    """Look until the condition holds; gives the seconds that it took, and fails after `within_s`."""
    start = time.monotonic()
    last: object = None
    while (elapsed := time.monotonic() - start) < within_s:
        try:
            if condition():
                return elapsed
        except NOT_YET as error:
            last = error
        time.sleep(every_s)
    raise AssertionError(_gave_up(what, within_s, last))


async def until_async(
    condition: Callable[[], object | Awaitable[object]], what: str = "", within_s: float = PATIENCE_S
) -> None:
    """Do as `until` in a running loop, whose tasks go on meanwhile; the condition may be a coroutine function."""
    start = time.monotonic()
    last: object = None
    while time.monotonic() - start < within_s:
        try:
            found = condition()
            if await found if inspect.isawaitable(found) else found:
                return
        except NOT_YET as error:
            last = error
        await asyncio.sleep(0.01)
    raise AssertionError(_gave_up(what, within_s, last))


def wait_until(moment: float) -> None:
    """Wait for a moment of time.monotonic()."""
    until(lambda: time.monotonic() >= moment, "that time has come", within_s=PATIENCE_S + moment - time.monotonic())


def _gave_up(what: str, within_s: float, last: object) -> str:
    return f"gave up after {within_s:g} s waiting until {what or 'it holds'} (last error: {last})"
