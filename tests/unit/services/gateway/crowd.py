"""A client that holds as many connections to a gateway as it can, in a process of its own."""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
# At a time, so that the machine has a turn for others too; some 10,000 a second.
_STEP = 50
_TURN_S = 0.005


@contextmanager
def crowd(port: int, source: str, count: int, text: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """Hold `count` connections from an address to a port, each of which has sent `text` and never says more.

    One that is closed is made again at once. When this begins, each was made once.
    """
    command = [sys.executable, "-m", "tests.unit.services.gateway.crowd", str(port), source, str(count), text.hex()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"all were made\n"
            yield process
        finally:
            process.kill()


def _open(port: int, source: str, text: bytes) -> socket.socket | None:
    client = socket.socket()
    try:
        client.bind((source, 0))
        client.connect(("127.0.0.1", port))
        client.sendall(text)
    except OSError:
        client.close()
        return None
    return client


def _hold(port: int, source: str, count: int, text: bytes) -> None:
    held, made = 0, 0
    with selectors.DefaultSelector() as selector:
        while True:
            for _ in range(min(_STEP, count - held)):
                made += 1
                client = _open(port, source, text)
                if client is not None:
                    held += 1
                    selector.register(client, selectors.EVENT_READ)
                if made == count:
                    print("all were made", flush=True)
            for key, _ in selector.select(_TURN_S):
                # Whatever comes, it was closed or is about to be.
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
                held -= 1


if __name__ == "__main__":
    _hold(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4]))
