"""Parent of the provider: the Pulumi that started it, with which it ends.

Pulumi interrupts its plugins when it is through. One that was killed cannot, and what it had asked for must not go on:
its lock may be another update's by then.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from runyard.errors import LockError

# How long a provider may outlive its Pulumi; what is asked meanwhile is refused.
_LOOK_AGAIN_S = 0.1


class Parent:
    """The process that started this one."""

    def __init__(self, of: Callable[[], int] = os.getppid, wait: Callable[[float], None] = time.sleep) -> None:
        """Take the present answer of `of` for the parent's id."""
        self._of = of
        self._wait = wait
        self._id = of()

    def check(self) -> None:
        """Refuse to go on for a parent that is gone: LockError."""
        if self._of() != self._id:
            raise LockError("the update that asked for this was killed; nothing more is done for it")

    def watch(self, end: Callable[[], None]) -> None:
        """Call `end` once the parent is gone, from a thread of its own."""
        threading.Thread(target=self._watch, args=(end,), name="parent", daemon=True).start()

    def _watch(self, end: Callable[[], None]) -> None:
        while self._of() == self._id:
            self._wait(_LOOK_AGAIN_S)
        end()
