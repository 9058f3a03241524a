"""A stand-in for the orchestrator: it hears which revisions are wanted, and gives them endpoints as a test says."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from runyard.contracts import GatewayDelta, GatewayEndpoints, encode
from tests.harness.waiting import PATIENCE_S
from tests.unit.services.gateway.nginx import Gateway


class Waker:
    """Listens on the gateway's wake.sock in a thread; `heard` has each line with the time at which it came.

    A key of `starts` gets its endpoints when it is heard the first time.
    """

    def __init__(self, gateway: Gateway, starts: Mapping[str, GatewayEndpoints] | None = None) -> None:
        self.gateway = gateway
        self.starts = dict(starts or {})
        self.heard: list[tuple[float, str]] = []
        self.connections = 0
        self.open = 0
        # When the gateway confirmed the endpoints of a key.
        self.started: dict[str, float] = {}
        self._path = Path(gateway.config.wake_socket)
        self._stopping = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._parts: dict[socket.socket, bytes] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Waker:
        self._server.bind(str(self._path))
        self._server.listen()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(PATIENCE_S)
        self._path.unlink()
        for each in (self._server, *self._parts):
            each.close()
        self._selector.close()

    def times(self, key: str) -> list[float]:
        """When this key was heard."""
        return [at for at, each in self.heard if each == key]

    def start(self, key: str, given: GatewayEndpoints) -> None:
        """Put these endpoints of a key in force, as the orchestrator does: by what changes."""
        generation = self.gateway.snapshot.generation
        delta = GatewayDelta(generation, generation + 1, endpoints={key: given})
        answer = self.gateway.admin("PATCH", "/v1/snapshot", encode(delta))
        assert answer.status == 200, answer.body
        self.started[key] = time.monotonic()
        known = {**self.gateway.snapshot.endpoints, key: given}
        self.gateway.snapshot = replace(self.gateway.snapshot, generation=generation + 1, endpoints=known)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for ready, _ in self._selector.select(0.05):
                self._hear(ready.fileobj)  # type: ignore[arg-type]

    def _hear(self, ready: socket.socket) -> None:
        if ready is self._server:
            connection, _ = ready.accept()
            self._selector.register(connection, selectors.EVENT_READ)
            self._parts[connection] = b""
            self.connections += 1
            self.open += 1
            return
        data = ready.recv(65536)
        *lines, self._parts[ready] = (self._parts[ready] + data).split(b"\n")
        if not data:
            self._selector.unregister(ready)
            self._parts.pop(ready)
            ready.close()
            self.open -= 1
        for line in lines:
            self.heard.append((time.monotonic(), line.decode()))
            if given := self.starts.pop(line.decode(), None):
                self.start(line.decode(), given)
