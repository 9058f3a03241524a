"""A stand-in for OSV that answers as its API does: POST /v1/querybatch, GET /v1/vulns/ID."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Osv:
    """What the stand-in knows: advisories by (ecosystem, name, version), and how it misbehaves."""

    known: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    # At most so many advisories a page.
    page: int = 1000
    # Instead of what it knows: status and body of every answer to a query.
    instead: tuple[int, bytes] | None = None
    queries: list[Any] = field(default_factory=list)
    address: str = ""

    def answer_batch(self, asked: Any) -> tuple[int, bytes]:
        self.queries += asked["queries"]
        if self.instead:
            return self.instead
        return 200, json.dumps({"results": [self._result(each) for each in asked["queries"]]}).encode()

    def _result(self, query: Any) -> dict[str, Any]:
        place = (query["package"]["ecosystem"], query["package"]["name"], query["version"])
        names, start = self.known.get(place, []), int(query.get("page_token", 0))
        # As OSV does, what has none gets an empty object.
        result: dict[str, Any] = {}
        if shown := names[start : start + self.page]:
            result["vulns"] = [{"id": name, "modified": "2026-01-01T00:00:00Z"} for name in shown]
        if len(names) > start + self.page:
            result["next_page_token"] = str(start + self.page)
        return result


@contextmanager
def serving(osv: Osv) -> Iterator[Osv]:
    """Answer at `osv.address`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(*(osv.answer_batch(body) if self.path == "/v1/querybatch" else (404, b"{}")))

        def do_GET(self) -> None:
            name = self.path.removeprefix("/v1/vulns/")
            self._send(
                200, json.dumps({"id": name, "aliases": [f"CVE-of-{name}"], "summary": f"about {name}"}).encode()
            )

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    osv.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield osv
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
