"""The cache: what it keeps, for whom, for how long, and that no service, caller or client gets another's answer."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
import time
from typing import Any

import pytest

from runyard.contracts import Handling
from tests.harness.client import Answer
from tests.harness.waiting import until, wait_until
from tests.unit.services.gateway.conftest import MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service, settled

FRESH = "Cache-Control: max-age=60"
CALLERS = {"127.0.0.2": "default/web", "127.0.0.3": "default/stock"}


@pytest.fixture
def hello(gateway: Gateway, instance: Instance) -> Gateway:
    gateway.serve(instance.port, handling=Handling(cache=True))
    return gateway


def ask(gateway: Gateway, answer: str = FRESH, path: str = "/a", method: str = "GET", **more: Any) -> Answer:
    headers = {"X-Answer": answer, **more.pop("headers", {})}
    return gateway.request(method, path, headers=headers, **more)


def status(answer: Answer) -> str:
    return str(answer.headers.get("Cache-Status", ""))


def test_answer_that_says_so_is_kept(hello: Gateway, instance: Instance) -> None:
    first, second = ask(hello), ask(hello)
    assert (status(first), status(second)) == ("runyard; fwd=uri-miss", "runyard; hit")
    assert first.body == second.body
    assert len(instance.seen) == 1
    # The gateway's own headers are of this request, not of the one that was kept.
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert second.headers["X-Content-Type-Options"] == "nosniff"
    assert hello.inflight() == {}


@pytest.mark.parametrize(
    "answer",
    [
        "", "X: y", "Cache-Control: no-store", "Cache-Control: private, max-age=60", "Cache-Control: no-cache",
        "Cache-Control: max-age=0", f"{FRESH} | Set-Cookie: session=1", f"{FRESH} | Vary: *", "X-Accel-Expires: 60",
    ],
)  # fmt: skip
def test_answer_that_does_not_allow_it_is_not_kept(hello: Gateway, instance: Instance, answer: str) -> None:
    assert [status(ask(hello, answer)) for _ in range(2)] == ["runyard; fwd=uri-miss"] * 2
    assert len(instance.seen) == 2


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("GET", {"Authorization": "Bearer a"}, None),
        ("GET", {"Range": "bytes=0-3"}, None),
        ("GET", {}, b"a body"),
        ("POST", {}, b"x"),
        ("DELETE", {}, None),
    ],
)
def test_request_that_is_no_plain_one_neither_fills_nor_uses_the_cache(
    hello: Gateway, instance: Instance, method: str, headers: dict[str, str], body: bytes | None
) -> None:
    for _ in range(2):
        assert status(ask(hello, method=method, headers=headers, body=body)) == ""
    assert status(ask(hello)) == "runyard; fwd=uri-miss"
    assert status(ask(hello, method=method, headers=headers, body=body)) == ""
    assert len(instance.seen) == 4


def test_head_is_answered_from_what_a_get_has_kept(hello: Gateway, instance: Instance) -> None:
    ask(hello)
    assert status(ask(hello, method="HEAD")) == "runyard; hit"
    assert len(instance.seen) == 1


def test_vary_keeps_answers_apart(hello: Gateway, instance: Instance) -> None:
    def language(tongue: str) -> str:
        answer = ask(hello, f"{FRESH} | Vary: Accept-Language", headers={"Accept-Language": tongue})
        assert dict(answer.json()["headers"])["Accept-Language"] == tongue
        return status(answer)

    assert [language(each) for each in ("de", "fr", "de", "fr")][2:] == ["runyard; hit"] * 2
    assert len(instance.seen) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/b"}, {"path": "/a?x=1"}, {"path": "/A"}, {"path": "/%61"}, {"host": "hello.localhost:3000"},
        {"host": "HELLO.localhost"}, {"host": "other.localhost"},
    ],
)  # fmt: skip
def test_what_the_instance_could_tell_apart_is_kept_apart(hello: Gateway, change: dict[str, str]) -> None:
    services = {**hello.snapshot.services, "default/other": service(("other-1", 100), handling=Handling(cache=True))}
    hello.push(
        services=services,
        hosts={**hello.snapshot.hosts, "other.localhost": "default/other"},
        endpoints={**hello.snapshot.endpoints, "default/other-1": hello.snapshot.endpoints["default/hello-1"]},
    )
    ask(hello)
    assert status(ask(hello, **change)) == "runyard; fwd=uri-miss"
    assert status(ask(hello)) == "runyard; hit"


def test_forged_headers_poison_nothing(hello: Gateway) -> None:
    forged = {"X-Forwarded-Host": "evil", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"}
    assert "evil" not in ask(hello, headers=forged).body.decode()
    assert "evil" not in ask(hello).body.decode()


def test_callers_do_not_share_answers(hello: Gateway, instance: Instance) -> None:
    callers = {key: service(uses=("hello",)) for key in CALLERS.values()}
    hello.push(services={**hello.snapshot.services, **callers}, callers=CALLERS)
    for source in CALLERS:
        answer = ask(hello, host="hello.internal", source=source)
        assert dict(answer.json()["headers"])["X-Runyard-Caller"] == CALLERS[source].partition("/")[2]
    assert status(ask(hello, host="hello.internal", source="127.0.0.2")) == "runyard; hit"


def test_new_revision_answers_for_itself(hello: Gateway, make_instance: MakeInstance) -> None:
    ask(hello)
    new = make_instance("new")
    hello.push(
        services={"default/hello": service(("hello-2", 100), handling=Handling(cache=True))},
        endpoints={"default/hello-2": endpoints(new.port)},
    )
    assert ask(hello).json()["name"] == "new"


def test_stale_answer_is_given_while_another_is_fetched(hello: Gateway, instance: Instance) -> None:
    ask(hello, "Cache-Control: max-age=1, stale-while-revalidate=60")
    until(lambda: status(ask(hello, "Cache-Control: max-age=60")) == "runyard; hit; detail=stale", "it is stale")
    until(lambda: len(instance.seen) == 2, "it is fetched again")
    until(lambda: status(ask(hello)) == "runyard; hit", "the new one is there")
    settled(hello)


def test_fetch_behind_a_stale_answer_leaves_nothing_behind(gateway: Gateway, instance: Instance) -> None:
    """It is a request of nginx's own, inside the client's: its counts and its watch must end with that one."""
    gateway.serve(instance.port, timeout_s=1, handling=Handling(cache=True))
    ask(gateway, "Cache-Control: max-age=1, stale-while-revalidate=60")
    until(lambda: status(ask(gateway)).endswith("detail=stale"), "the answer is stale")
    until(lambda: len(instance.seen) == 2, "it is fetched behind that")
    settled(gateway)
    # Past the request's time, at which what is still watched would be ended.
    wait_until(time.monotonic() + 2)
    assert gateway.errors() == ""
    assert ask(gateway).status == 200


class OnceFresh(socketserver.ThreadingTCPServer):
    """Answers its first request at once, and what follows never or drop by drop."""

    def __init__(self, *, drips: bool) -> None:
        super().__init__(("127.0.0.1", 0), OnceFreshHandler)
        self.drips = drips
        self.asked = 0
        self.over = threading.Event()


class OnceFreshHandler(socketserver.StreamRequestHandler):
    server: OnceFresh

    def handle(self) -> None:
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        head = b"HTTP/1.1 200 Fine\r\nCache-Control: max-age=1, stale-while-revalidate=60\r\n"
        self.server.asked += 1
        if self.server.asked == 1:
            self.wfile.write(head + b"Content-Length: 5\r\n\r\nfirst")
            return
        if self.server.drips:
            self.wfile.write(head + b"Content-Length: 1000\r\n\r\n")
        # The gateway may give up at any drop.
        with contextlib.suppress(OSError):
            while not self.server.over.wait(0.2):
                self.wfile.write(b"x" if self.server.drips else b"")


@pytest.mark.parametrize("drips", [False, True])
def test_fetch_that_takes_too_long_behind_a_stale_answer_harms_nobody(gateway: Gateway, drips: bool) -> None:
    """Neither the client, who has its answer, nor the worker, nor the instance, which gets its place back in time."""
    with OnceFresh(drips=drips) as server:
        threading.Thread(target=server.serve_forever).start()
        port = int(server.server_address[1])
        gateway.serve(port, timeout_s=1, handling=Handling(cache=True, response_start_s=1, idle_s=1))
        try:
            asked = [ask(gateway)]
            wait_until(time.monotonic() + 2)
            asked.append(ask(gateway))
            until(lambda: server.asked == 2, "it is fetched behind that")
            settled(gateway)
            asked.append(ask(gateway))
        finally:
            server.over.set()
            server.shutdown()
    assert [(each.status, each.body) for each in asked] == [(200, b"first")] * 3
    assert "detail=stale" in status(asked[1])
    settled(gateway)
    assert "signal" not in gateway.errors()


def test_stale_answer_is_not_given_without_leave(hello: Gateway, instance: Instance) -> None:
    ask(hello, "Cache-Control: max-age=1")
    until(lambda: status(ask(hello)) == "runyard; fwd=stale", "it is fetched in the foreground")


def test_purge_of_a_service_or_a_path_forgets_it_and_nothing_else(hello: Gateway, instance: Instance) -> None:
    def purge(**what: str) -> int:
        return hello.admin("POST", "/v1/purge", json.dumps(what)).status

    def kept() -> list[bool]:
        return [status(ask(hello, path=path)) == "runyard; hit" for path in ("/a", "/a?x=1", "/b")]

    assert (kept(), kept()) == ([False] * 3, [True] * 3)
    assert purge(service="default/hello", path="/a") == 200
    assert (kept(), kept()) == ([False, False, True], [True] * 3)
    assert purge(service="default/hello") == 200
    assert (kept(), kept()) == ([False] * 3, [True] * 3)
    assert purge(service="default/nobody") == purge() == purge(service="default/hello", path="a") == 400
    hello.serve(instance.port)
    assert purge(service="default/hello") == 409


def test_service_without_a_cache_has_none(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    assert [status(ask(gateway)) for _ in range(2)] == ["", ""]
    assert len(instance.seen) == 2


def test_kept_answer_outlives_its_instance_and_a_miss_waits_for_another(
    hello: Gateway, instance: Instance, make_instance: MakeInstance
) -> None:
    ask(hello)
    instance.kill()
    assert status(ask(hello)) == "runyard; hit"
    other = make_instance("other")
    hello.push(endpoints={"default/hello-1": endpoints(instance.port, other.port)})
    assert ask(hello, path="/b").json()["name"] == "other"
