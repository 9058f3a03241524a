"""Checks of traffic: what the gateway may answer in a service's place, and what it may not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from runyard.contracts import Fallback
from runyard.manifest.model import Gateway, Platform
from runyard.plan import plan
from runyard.verify import checks_traffic
from tests.unit.runyard.plan.example import manifests, service

PROBLEM = "application/problem+json"


class FakeSubject:
    """A stack of one service behind a gateway at a port."""

    def __init__(self, port: int, **parts: Any) -> None:
        self.plan = plan(manifests(service(**parts), platform=Platform(gateway=Gateway(port=port))))
        (self.service,) = self.plan.services


@contextmanager
def gateway(status: int, kind: str) -> Iterator[int]:
    """Answer every request so, and give the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("parts", "status", "kind", "right"),
    [
        ({}, 200, "application/json", True),
        # An error of the service itself is its answer.
        ({}, 500, "text/plain", True),
        ({}, 503, PROBLEM, False),
        ({"ingress": "internal"}, 404, PROBLEM, True),
        ({"ingress": "internal"}, 200, "application/json", False),
        ({"manual_instance_count": 0}, 503, PROBLEM, True),
        ({"manual_instance_count": 0}, 404, PROBLEM, False),
        ({"manual_instance_count": 0}, 200, "application/json", False),
        ({"manual_instance_count": 0, "fallback": Fallback(page="soon")}, 503, "text/plain", True),
        ({"manual_instance_count": 1}, 503, PROBLEM, False),
    ],
)
def test_service_answers_itself_or_as_was_asked(parts: dict[str, Any], status: int, kind: str, right: bool) -> None:
    with gateway(status, kind) as port:
        subject = FakeSubject(port, **parts)
        if right:
            checks_traffic.test_service_answers_through_the_gateway(subject, subject.service)
        else:
            with pytest.raises(AssertionError):
                checks_traffic.test_service_answers_through_the_gateway(subject, subject.service)
