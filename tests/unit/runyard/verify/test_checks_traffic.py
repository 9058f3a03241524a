"""Checks of traffic: what the gateway may answer in a service's place, and what it may not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from runyard.contracts import Fallback, OrchestratorStatus, RevisionStatus, ServiceStatus
from runyard.manifest.model import Gateway, Platform, TrafficTarget
from runyard.plan import keep_revisions, plan
from runyard.verify import checks_traffic
from tests.unit.runyard.plan.example import earlier, manifests, service

PINNED = (TrafficTarget(100, "hello-0"),)
PROBLEM = "application/problem+json"


class FakeSubject:
    """A stack of one service behind a gateway at a port, whose instances may call `called`."""

    def __init__(
        self, port: int = 3000, called: tuple[str, ...] = (), *, asleep: tuple[bool, ...] = (), **parts: Any
    ) -> None:
        given = manifests(service(**parts), platform=Platform(gateway=Gateway(port=port)))
        self.plan = keep_revisions(plan(given), given, {"default/hello": [earlier("hello-0")]})
        (self.service,) = self.plan.services
        self._called = called
        self._asleep = asleep
        self.deep = False

    def status(self) -> OrchestratorStatus:
        route, rollout = self.service.route, self.service.rollout
        found = ServiceStatus("default", "hello", route.hosts, self._called, rollout.traffic)
        revisions = tuple(
            RevisionStatus("default", "hello", f"hello-{number}", desired=int(not each), ready=0, asleep=each)
            for number, each in enumerate(self._asleep)
        )
        return OrchestratorStatus(generation=1, in_step=True, services=(found,), revisions=revisions)


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


@pytest.mark.parametrize(
    ("parts", "called", "right"),
    [
        ({}, ("cart",), True),
        ({}, ("cart", "stock"), True),
        ({}, (), False),
        # Nothing of it runs that could call.
        ({"manual_instance_count": 0}, (), True),
        ({"manual_instance_count": 1}, (), False),
        ({"traffic": PINNED}, (), True),
    ],
)
def test_service_may_call_what_its_running_revision_declares(
    parts: dict[str, Any], called: tuple[str, ...], right: bool
) -> None:
    subject = FakeSubject(called=called, uses=("cart",), **parts)
    if right:
        checks_traffic.test_service_has_the_planned_hosts_and_callees(subject, subject.service)
    else:
        with pytest.raises(AssertionError):
            checks_traffic.test_service_has_the_planned_hosts_and_callees(subject, subject.service)


def test_service_that_sleeps_is_not_asked_and_its_callees_are_not_missed() -> None:
    # Nothing listens at this port: whoever asks fails.
    subject = FakeSubject(port=1, asleep=(True, True), annotations={"runyard.dev/uses": "cart"})
    with pytest.raises(pytest.skip.Exception, match="asleep: verify --deep wakes it"):
        checks_traffic.test_service_answers_through_the_gateway(subject, subject.service)
    checks_traffic.test_service_has_the_planned_hosts_and_callees(subject, subject.service)


@pytest.mark.parametrize(("asleep", "deep"), [((True,), True), ((True, False), False), ((), False)])
def test_service_is_asked_when_any_of_it_is_awake_or_when_it_may_be_woken(asleep: tuple[bool, ...], deep: bool) -> None:
    with gateway(200, "text/plain") as port:
        subject = FakeSubject(port, asleep=asleep)
        subject.deep = deep
        checks_traffic.test_service_answers_through_the_gateway(subject, subject.service)
