"""Waiting: the one place where a test waits for something real that says nothing when it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPException

# A test that waits longer than this for something that takes milliseconds has found a fault.
PATIENCE_S = 60.0


def until(
    condition: Callable[[], object], what: str = "", within_s: float = PATIENCE_S, every_s: float = 0.01
) -> float:
    """Look until the condition holds; gives the seconds that it took, and fails after `within_s`.

    What does not answer yet, or in no words, does not hold yet.
    """
    start = time.monotonic()
    last: object = None
    while (elapsed := time.monotonic() - start) < within_s:
        try:
            if condition():
                return elapsed
        except (OSError, HTTPException, ValueError) as error:
            last = error
        time.sleep(every_s)
    raise AssertionError(f"gave up after {within_s:g} s waiting until {what or 'it holds'} (last error: {last})")


def wait_until(moment: float) -> None:
    """Wait for a moment of time.monotonic()."""
    until(lambda: time.monotonic() >= moment, "that time has come", within_s=PATIENCE_S + moment - time.monotonic())
