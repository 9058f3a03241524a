"""Pulse: how the leader tells that it lives, five times a second, to whoever listens on a socket beside the lease.

A file would do so through a disk that may be slow; a socket also tells at once that its process has ended. A thread
sends it, so that a long turn of the loop is not taken for a death; where the loop hangs, it falls silent.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

BEAT_S = 0.2
# The longest turns of the loop, a whole snapshot of a thousand services or a slow disk, take under two seconds.
HANGING_S = 5.0
# The first turn comes when all that is kept has been read, from a disk that may be busy.
STARTING_S = 30.0
# There is one other; more are somebody who tries.
LISTENERS = 8


class Pulse:
    """Beats from its beginning to its end, while `show_life` is called at least every five seconds."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._shown = clock() + STARTING_S
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._server = socket.socket(socket.AF_UNIX)
        self._listeners: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Begin; OSError if the place cannot be had."""
        # Left by the leader before, which is dead: its successor has the lease.
        self._path.unlink(missing_ok=True)
        self._server.bind(str(self._path))
        self._path.chmod(0o600)
        self._server.listen(LISTENERS)
        self._server.setblocking(False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; who listens sees it at once."""
        self._ended.set()
        self._thread.join()
        for each in (*self._listeners, self._server):
            each.close()

    def show_life(self) -> None:
        """Say that the loop turns."""
        self._shown = self._clock()

    def _run(self) -> None:
        while not self._ended.wait(BEAT_S):
            self._accept()
            if self._clock() - self._shown < HANGING_S:
                self._beat()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                listener, _ = self._server.accept()
                listener.setblocking(False)
                self._listeners.append(listener)
        while len(self._listeners) > LISTENERS:
            self._listeners.pop(0).close()

    def _beat(self) -> None:
        for each in tuple(self._listeners):
            try:
                each.send(b".")
            except OSError:
                # It has gone, or has not listened for thousands of beats.
                self._listeners.remove(each)
                each.close()
