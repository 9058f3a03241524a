"""Connection to a Docker engine, whatever the way it was reached."""

from __future__ import annotations

import http.client
import json
import select
import socket
from collections.abc import Mapping
from typing import IO, NamedTuple, Protocol


class Asked(NamedTuple):
    """One request as it is sent; `timeout_s` is how long the engine may be silent."""

    method: str
    path: str
    body: bytes | IO[bytes] | None
    headers: Mapping[str, str]
    timeout_s: float

    @classmethod
    def of(
        cls, method: str, path: str, body: object | None, headers: Mapping[str, str] | None, timeout_s: float
    ) -> Asked:
        """Make one whose body is sent as JSON, or as it is if it is bytes."""
        if body is None:
            return cls(method, path, None, headers or {}, timeout_s)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return cls(method, path, data, {"Content-Type": "application/json", **(headers or {})}, timeout_s)


class Connection(http.client.HTTPConnection):
    """HTTP on a socket that is connected already, and on no other."""

    sock: socket.socket
    # Otherwise, once closed, it would silently connect to a host of that name.
    auto_open = 0
    # Whether an answer to the last request has begun.
    answering = False

    def __init__(self, sock: socket.socket, host: str = "docker", port: int = 80) -> None:
        super().__init__(host, port)
        self.sock = sock

    @property
    def open(self) -> bool:
        """Say whether another request can follow; an answer that ends with its connection takes the socket along."""
        return getattr(self, "sock", None) is not None

    def ask(self, asked: Asked) -> None:
        """Send a request."""
        self.answering = False
        self.sock.settimeout(asked.timeout_s)
        self.request(asked.method, asked.path, asked.body, dict(asked.headers))

    def ended(self) -> bool:
        """Say whether the other side has said something unasked: its end, or what would be nobody's answer."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def complaint(self) -> str:
        """Give what a program between us and the engine says of its failure, if there is one."""
        return ""


class Way(Protocol):
    """How an engine is reached, and how many requests at once that may carry."""

    at_once: int

    def dial(self) -> Connection:
        """Connect; OSError when nobody is there."""
        ...

    def close(self) -> None:
        """End what runs for connections that are closed."""
        ...
