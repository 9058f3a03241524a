"""Lease: of two orchestrators on one volume exactly one acts; the kernel lets go of it when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

# A stand-by takes over within this; asking is one system call.
RETRY_S = 0.5


class Lease:
    """An exclusive lock on a file."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Take the lease if nobody holds it."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def wait(self, sleep: Callable[[float], Awaitable[object]], standing_by: Callable[[], None]) -> None:
        """Wait until the lease is ours; `standing_by` is called once if it is not at first."""
        if self.take():
            return
        standing_by()
        while not self.take():
            await sleep(RETRY_S)

    def release(self) -> None:
        """Let go of the lease."""
        os.close(self._handle)
