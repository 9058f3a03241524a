"""Wake: the socket on which the gateway says that a request waits for a revision without instances.

nginx's workers reach it, so it takes nothing but names, answers nothing, and bounds what it reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from runyard.journal import Journal

# `tenant/revision` has two names of at most 63 characters.
LONGEST_LINE = 128
# One connection for each of nginx's workers, and those of the ones that they replace.
CONNECTIONS = 256


class WakeSocket:
    """Listens where the gateway looks; `heard` is called with every line, which may be anything."""

    def __init__(self, path: Path, heard: Callable[[str], None], journal: Journal) -> None:
        self._path = path
        self._heard = heard
        self._journal = journal
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen; OSError if the place cannot be had."""
        # Left by one that was killed: its successor has the lease.
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_LINE)
        # nginx's workers have another user. All that can be said here is a name, and only in the platform's volume.
        self._path.chmod(0o666)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= CONNECTIONS:
            writer.close()
            return
        self._writers.add(writer)
        try:
            while line := await reader.readuntil(b"\n"):
                self._heard(line[:-1].decode("ascii", "replace"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.LimitOverrunError:
            self._journal.write("wake refused", level="warning", error=f"a line is longer than {LONGEST_LINE} bytes")
        finally:
            self._writers.discard(writer)
            writer.close()

    async def close(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        self._path.unlink(missing_ok=True)
