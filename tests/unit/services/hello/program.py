"""The sample application as a running program, and the requests that tests send it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlencode

from tests.harness.client import Answer, ask, opened
from tests.harness.waiting import PATIENCE_S


@dataclass
class Hello:
    """A running application: where it answers, and what it has logged."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(
        self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return ask(self.port, f"{path}?{urlencode(query)}" if query else path, headers=headers)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return ask(self.port, path, "POST", body, headers)

    def open(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> AbstractContextManager[HTTPResponse]:
        """Send a request and give the answer while it may still be coming."""
        return opened(self.port, path, "GET" if body is None else "POST", body, headers)

    def log(self) -> dict[str, Any]:
        """Read the next log line, waiting for it."""
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_S)


Start = Callable[..., Hello]
