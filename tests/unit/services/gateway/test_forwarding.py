"""What an instance gets of a request, what a client gets of a response, and what is refused as it comes."""

from __future__ import annotations

import re
import socket

import pytest

from tests.harness.waiting import PATIENCE_S
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, service

CALLER = "127.0.0.2"
FORGED = {
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-IP": "10.0.0.1",
    "Forwarded": "for=10.0.0.1",
    "X-Runyard-Caller": "evil",
    "X-Request-Id": "forged-request-id",
    "Proxy": "http://evil",
}


@pytest.fixture
def hello(gateway: Gateway, instance: Instance) -> Gateway:
    gateway.serve(instance.port)
    return gateway


def sent(gateway: Gateway, **request: object) -> dict[str, str]:
    """Send a request and give the headers that arrived, each of them once."""
    pairs = gateway.request(**request).json()["headers"]  # type: ignore[arg-type]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_forged_forwarding_headers_are_overwritten(hello: Gateway) -> None:
    headers = sent(hello, host="hello.localhost:3000", headers=FORGED)
    request_id = headers.pop("X-Request-Id")
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert headers.pop("traceparent") == f"00-{request_id}-{request_id[16:]}-01"
    assert headers == {
        "Host": "hello.localhost:3000",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "hello.localhost:3000",
        "Forwarded": 'for="127.0.0.1";host="hello.localhost:3000";proto=http',
        "Accept-Encoding": "identity",
    }


def test_forged_caller_does_not_pass_the_internal_listener(hello: Gateway) -> None:
    services = {**hello.snapshot.services, "default/web": service(uses=("hello",))}
    hello.push(services=services, callers={CALLER: "default/web"})
    headers = sent(hello, host="hello.internal", source=CALLER, headers={"X-Runyard-Caller": "admin"})
    assert (headers["X-Runyard-Caller"], headers["X-Forwarded-For"]) == ("web", CALLER)


@pytest.mark.parametrize(
    ("received", "passed"),
    [("0123abcd-ef", True), ("a" * 128, True), ("short", False), ("a" * 129, False), ('quote"quote', False)],
)
def test_request_id_of_an_instance_is_passed_on_when_it_is_one(hello: Gateway, received: str, passed: bool) -> None:
    services = {**hello.snapshot.services, "default/web": service(uses=("hello",))}
    hello.push(services=services, callers={CALLER: "default/web"})
    headers = sent(hello, host="hello.internal", source=CALLER, headers={"X-Request-Id": received})
    assert (headers["X-Request-Id"] == received) is passed


def test_request_id_of_a_client_is_not_believed(hello: Gateway) -> None:
    assert sent(hello, headers={"X-Request-Id": "0123456789abcdef"})["X-Request-Id"] != "0123456789abcdef"


def test_request_ids_differ_across_workers_and_restarts(hello: Gateway) -> None:
    ids = [hello.request().headers["X-Request-Id"] for _ in range(20)]
    hello.stop()
    hello.start()
    ids += [hello.request().headers["X-Request-Id"] for _ in range(20)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_response_carries_the_request_id_that_the_instance_got(hello: Gateway) -> None:
    answer = hello.request()
    assert answer.headers["X-Request-Id"] == dict(answer.json()["headers"])["X-Request-Id"]


def test_trace_context_passes_untouched(hello: Gateway) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}
    headers = sent(hello, headers=trace)
    assert {name: headers[name] for name in trace} == trace


@pytest.mark.parametrize(
    ("received", "passed"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", True),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-will-be", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        ("", False),
    ],
)
def test_trace_begins_at_the_gateway_where_a_request_brings_none(hello: Gateway, received: str, passed: bool) -> None:
    seen = sent(hello, headers={"traceparent": received})["traceparent"]
    assert (seen == received) is passed
    assert re.fullmatch("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-what-will-be)?", seen)


def test_trace_of_a_call_is_named_as_the_call_where_that_can_be(hello: Gateway) -> None:
    services = {**hello.snapshot.services, "default/web": service(uses=("hello",))}
    hello.push(services=services, callers={CALLER: "default/web"})
    for given in ("f" * 31 + "0", "other-0123"):
        seen = sent(hello, host="hello.internal", source=CALLER, headers={"X-Request-Id": given})["traceparent"]
        assert (given in seen) is (len(given) == 32)
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", seen)


def test_hop_by_hop_headers_stop_at_the_gateway(hello: Gateway) -> None:
    hops = {
        "Connection": "close, X-Private, keep-alive",
        "X-Private": "1",
        "Keep-Alive": "timeout=5",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Proxy-Authorization": "Basic x",
        "Proxy-Connection": "keep-alive",
    }
    headers = sent(hello, headers=hops)
    assert not {name.lower() for name in headers} & {name.lower() for name in hops}


@pytest.mark.parametrize("name", ["Host", "Content-Length", "X-Forwarded-For", "X-Runyard-Caller", "X-Request-Id"])
def test_connection_header_cannot_take_away_what_the_gateway_says(hello: Gateway, name: str) -> None:
    services = {**hello.snapshot.services, "default/web": service(uses=("hello",))}
    hello.push(services=services, callers={CALLER: "default/web"})
    call = {"host": "hello.internal", "source": CALLER, "method": "POST", "body": b"abc"}
    assert name in sent(hello, headers={"Connection": name}, **call)


def test_body_arrives_whole(hello: Gateway) -> None:
    body = bytes(range(256)) * 1000
    assert hello.request("POST", body=body).json()["body"].encode("latin-1") == body


def test_connections_to_instances_are_kept(hello: Gateway, instance: Instance) -> None:
    with hello.connect() as connection:
        for _ in range(50):
            connection.request("GET", "/", headers={"Host": "hello.localhost"})
            connection.getresponse().read()
    assert instance.connections <= 2


def test_error_of_an_instance_passes_untouched(hello: Gateway) -> None:
    for status in (404, 500, 502, 503, 504):
        answer = hello.request(path=f"/status={status}")
        assert (answer.status, answer.headers["Server"], answer.json()["name"]) == (status, "tests", "one")


def test_instance_cannot_redirect_inside_the_gateway(hello: Gateway) -> None:
    assert hello.request(path="/redirect").json()["path"] == "/redirect"


def test_event_stream_is_not_buffered(hello: Gateway, instance: Instance) -> None:
    with hello.connect() as connection:
        connection.request("GET", "/stream", headers={"Host": "hello.localhost", "Accept": "text/event-stream"})
        response = connection.getresponse()
        assert response.readline() == b"first\n"
        instance.release()
        assert response.read() == b"last\n"


def test_websocket_passes_both_ways(hello: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", hello.edge_port), PATIENCE_S) as client:
        client.sendall(
            b"GET /upgrade HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        stream = client.makefile("rb")
        head = b"".join(iter(stream.readline, b"\r\n"))
        assert head.startswith(b"HTTP/1.1 101")
        client.sendall(b"ping\n")
        assert stream.readline() == b"ping\n"
        assert list(hello.inflight().values()) == [1]


def test_gateway_does_not_tell_its_version(hello: Gateway) -> None:
    assert hello.request(host="nobody.localhost").headers["Server"] == "nginx"
