"""The sample workload as a running program, and the requests that tests send it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

# Only a hang takes this long; a start is a few milliseconds.
PATIENCE_S = 20


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Workload:
    """A running workload: where it answers, and what it has logged."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(
        self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        with self.open(f"{path}?{urlencode(query)}" if query else path, headers=headers or {}) as answer:
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        with self.open(path, body, headers) as answer:
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    @contextmanager
    def open(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """Send a request and give the answer while it may still be coming."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
            yield connection.getresponse()
        finally:
            connection.close()

    def log(self) -> dict[str, Any]:
        """Read the next log line, waiting for it."""
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_S)


Start = Callable[..., Workload]
