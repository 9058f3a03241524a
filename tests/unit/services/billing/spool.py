"""A meter's spool behind a real port: it gives its batches in order to whoever asks after a sequence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runyard.contracts import UsageBatch, encode


@dataclass
class Spool:
    """What it has, and which sequences it was asked for; `answer` is given instead, where there is one."""

    port: int = 0
    batches: list[UsageBatch] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    answer: tuple[int, str] | None = None

    def after(self, sequence: int) -> UsageBatch:
        self.asked.append(sequence)
        return next((each for each in self.batches if each.sequence > sequence), UsageBatch(sequence))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    spool: Spool


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        spool = self.server.spool
        status, body = spool.answer or (200, encode(spool.after(int(self.path.partition("after=")[2]))))
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(port: int = 0) -> Iterator[Spool]:
    """Serve a spool at a port of the loopback, a free one by default."""
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.spool = Spool(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.spool
        finally:
            server.shutdown()
            thread.join()
