"""Lease: of two orchestrators on one volume exactly one acts; the kernel lets go of it when its holder dies.

The lock alone decides who acts. That its holder lives is told by its pulse, for a process that is stopped holds a lock
for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

# More than a name of ours is nobody's.
_NAME_BYTES = 64


class Lease:
    """An exclusive lock on a file, in which its holder's name stands."""

    def __init__(self, path: Path, holder: str = "") -> None:
        """Have the lease at `path`; `holder` is the name of the part that takes it."""
        self._path = path
        self._holder = holder
        self._handle = self._open()

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Take the lease if nobody holds it."""
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self.is_current():
                    return False
            else:
                if self.is_current():
                    os.ftruncate(self._handle, 0)
                    os.pwrite(self._handle, self._holder.encode(), 0)
                    return True
            # Somebody took the file away: what is locked now is another.
            os.close(self._handle)
            self._handle = self._open()

    def is_current(self) -> bool:
        """Tell whether the file that we have, locked or not, is still the one that others find."""
        ours = os.fstat(self._handle)
        with contextlib.suppress(FileNotFoundError):
            found = self._path.stat()
            return (ours.st_dev, ours.st_ino) == (found.st_dev, found.st_ino)
        return False

    def holder(self) -> str:
        """Name who took the lease last."""
        return os.pread(self._handle, _NAME_BYTES, 0).decode(errors="replace")

    def release(self) -> None:
        """Let go of the lease."""
        os.close(self._handle)
