"""Client: sends requests over HTTP to what a test has started, by port or by unix socket, and gives whole answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from tests.harness.waiting import PATIENCE_S

Body = str | bytes | None


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """The last part of a problem's type."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.json()["status"] == self.status
        assert self.json()["request_id"] == self.headers.get("X-Request-Id", self.json()["request_id"]) != ""
        return str(self.json()["type"]).removeprefix("urn:runyard:problem:")


class UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("gateway", timeout=PATIENCE_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self.path))


def answer_of(response: HTTPResponse) -> Answer:
    return Answer(response.status, dict(response.getheaders()), response.read())


@contextmanager
def connect(place: int | Path, source: str = "") -> Iterator[HTTPConnection]:
    """Connect to a port of 127.0.0.1, from this source address if one is given, or to a unix socket."""
    if isinstance(place, Path):
        connection: HTTPConnection = UnixConnection(place)
    else:
        connection = HTTPConnection("127.0.0.1", place, PATIENCE_S, (source, 0) if source else None)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def opened(
    place: int | Path,
    path: str = "/",
    method: str = "GET",
    body: Body = None,
    headers: Mapping[str, str] | None = None,
    source: str = "",
) -> Iterator[HTTPResponse]:
    """Send a request and give the answer while it may still be coming."""
    with connect(place, source) as connection:
        connection.request(method, path, body, dict(headers or {}))
        yield connection.getresponse()


def ask(
    place: int | Path,
    path: str = "/",
    method: str = "GET",
    body: Body = None,
    headers: Mapping[str, str] | None = None,
    source: str = "",
) -> Answer:
    """Send a request and give the whole answer."""
    with opened(place, path, method, body, headers, source) as response:
        return answer_of(response)
