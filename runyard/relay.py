"""Relay: joins its standard input and output to a unix socket, so that one `docker exec` carries many requests.

Standard library alone and no imports of ours: it must start in a few milliseconds.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable

# A part that has just been started listens within this; whoever asked then asks again.
CONNECT_S = 5.0
RETRY_S = 0.02
CHUNK_BYTES = 64 * 1024
# curl's exit code for the same thing.
NOT_UP = 7


def connect(
    path: str, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep
) -> socket.socket:
    """Connect to the socket at this path, waiting for one that is not there yet; OSError when it does not come."""
    give_up = clock() + CONNECT_S
    while True:
        control = socket.socket(socket.AF_UNIX)
        try:
            control.connect(path)
        except OSError:
            control.close()
            if clock() >= give_up:
                raise
            wait(RETRY_S)
        else:
            return control


def relay(control: socket.socket, source: int, sink: int) -> None:
    """Carry bytes both ways until either side ends.

    Nothing is left half open: when the asker is gone the connection goes too, which cancels what it had asked for.
    """
    ends = [source, control.fileno()]
    while True:
        readable, _, _ = select.select(ends, [], [])
        if control.fileno() in readable:
            data = control.recv(CHUNK_BYTES)
            if not data:
                return
            while data:
                data = data[os.write(sink, data) :]
        if source in readable:
            data = os.read(source, CHUNK_BYTES)
            if not data:
                return
            control.sendall(data)


def main(path: str) -> int:
    """Relay until the end; returns the exit code."""
    try:
        with connect(path) as control:
            relay(control, sys.stdin.fileno(), sys.stdout.fileno())
    except OSError as error:
        print(f"{path}: {error.strerror or error}", file=sys.stderr)
        return NOT_UP
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
