"""The edge: what is refused as it comes, what is bounded, and what the gateway adds to answers."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import time
from typing import Any

import pytest

from runyard.gateway import Listener
from tests.harness.ports import free_ports
from tests.harness.waiting import PATIENCE_S
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, assert_lasted, service

CALLER = "127.0.0.2"
GET = "GET / HTTP/1.1\r\nHost: hello.localhost\r\n"
POST = "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
CHUNKED = f"{POST}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
# Requests that two readers could take for different ones (RFC 9112, 11.2), or that no honest client sends.
REFUSED = {
    "length and coding": f"{POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "coding twice": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding twice, one unknown": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
    "coding behind chunked": f"{POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "coding before chunked": f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding with a comma": f"{POST}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "coding with a parameter": f"{POST}Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    "coding in quotes": f'{POST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "coding behind a tab": f"{POST}Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
    "coding behind a vertical tab": f"{POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding with a prefix": f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding that is identity": f"{POST}Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    "coding that is empty": f"{POST}Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc",
    "coding in HTTP/1.0": "POST / HTTP/1.0\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding on a folded line": f"{POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "two lengths": f"{POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "two equal lengths": f"{POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "list of lengths": f"{POST}Content-Length: 3, 3\r\n\r\nabc",
    "length with a plus": f"{POST}Content-Length: +3\r\n\r\nabc",
    "length with a minus": f"{POST}Content-Length: -3\r\n\r\nabc",
    "length in hexadecimal": f"{POST}Content-Length: 0x3\r\n\r\nabc",
    "length with a blank": f"{POST}Content-Length: 3 3\r\n\r\nabc",
    "length that is empty": f"{POST}Content-Length:\r\n\r\nabc",
    "length beyond numbers": f"{POST}Content-Length: 99999999999999999999\r\n\r\nabc",
    "blank before the colon": f"{GET}X-A : a\r\n\r\n",
    "blank before the length's colon": f"{POST}Content-Length : 3\r\n\r\nabc",
    "blank before the coding's colon": f"{POST}Transfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\nabc",
    "bare CR in a value": f"{GET}X-A: a\rX-B: b\r\n\r\n",
    "bare CR in a name": f"{GET}X\rA: a\r\n\r\n",
    "bare CR in the request line": "GET /\r HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "bare CR at the end": f"{GET}X-A: a\r\n\r\r\n",
    "folded line": f"{GET}X-A: a\r\n b\r\n\r\n",
    "folded line with a tab": f"{GET}X-A: a\r\n\tb\r\n\r\n",
    "folded Host": "GET / HTTP/1.1\r\nHost:\r\n hello.localhost\r\n\r\n",
    "blank before the first header": "GET / HTTP/1.1\r\n Host: hello.localhost\r\n\r\n",
    "NUL in a value": f"{GET}X-A: a\x00b\r\n\r\n",
    "NUL in a name": f"{GET}X\x00A: b\r\n\r\n",
    "NUL in the path": "GET /\x00 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "NUL in the path, escaped": "GET /%00 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "control character in a name": f"{GET}X\x01A: b\r\n\r\n",
    "control character in the method": "GE\x01T / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "header without a name": f"{GET}: a\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "two Hosts": f"{GET}Host: other.localhost\r\n\r\n",
    "two equal Hosts": f"{GET}Host: hello.localhost\r\n\r\n",
    "list of Hosts": "GET / HTTP/1.1\r\nHost: hello.localhost, other.localhost\r\n\r\n",
    "Host with a quote": 'GET / HTTP/1.1\r\nHost: hello.localhost:"x\r\n\r\n',
    "Host with an impossible port": "GET / HTTP/1.1\r\nHost: hello.localhost:99999\r\n\r\n",
    "Host with a path": "GET / HTTP/1.1\r\nHost: hello.localhost/x\r\n\r\n",
    "request line with another known host": f"GET http://other.localhost/ HTTP/1.1\r\n{GET[16:]}\r\n",
    "request line with a user": "GET http://hello.localhost@other/ HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "request line for a tunnel": "CONNECT hello.localhost:80 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "request line with an asterisk": "OPTIONS * HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "request line with a blank in the path": "GET /a b HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "request line with a tab": "GET\t/ HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "method in lower case": "get / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "path above the root": "GET /../../etc HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
    "chunk size with a plus": f"{CHUNKED}+3\r\nabc\r\n0\r\n\r\n",
    "chunk size with a minus": f"{CHUNKED}-3\r\nabc\r\n0\r\n\r\n",
    "chunk size with 0x": f"{CHUNKED}0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size with a blank": f"{CHUNKED} 3\r\nabc\r\n0\r\n\r\n",
    "chunk size beyond numbers": f"{CHUNKED}10000000000000000003\r\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": f"{CHUNKED}3\r\nabcdef\r\n0\r\n\r\n",
    "chunk extension with a bare LF": f"{CHUNKED}3;a\nb\r\nabc\r\n0\r\n\r\n",
    "chunk extension with a bare CR": f"{CHUNKED}3;a\rb\r\nabc\r\n0\r\n\r\n",
}
# What is taken, and what of it arrives: the headers beyond the gateway's own, and the body.
NORMALIZED = {
    # RFC 9112, 2.2 lets a LF end a line. The instance gets CRLF, so it cannot read it otherwise.
    "bare LF": (f"{GET}X-A: a\nX-B: b\nConnection: close\n\n", {"X-A": "a", "X-B": "b"}, ""),
    "chunk extension": (f"{CHUNKED}3;a=b\r\nabc\r\n0\r\n\r\n", {"Content-Length": "3"}, "abc"),
    "endless chunk extension": (f"{CHUNKED}3;{'a' * 200_000}\r\nabc\r\n0\r\n\r\n", {"Content-Length": "3"}, "abc"),
    "trailers": (f"{CHUNKED}3\r\nabc\r\n0\r\nX-A: b\r\nContent-Length: 9\r\n\r\n", {"Content-Length": "3"}, "abc"),
    "length with zeros": (
        f"{POST}Content-Length: 0003\r\nConnection: close\r\n\r\nabc",
        {"Content-Length": "3"},
        "abc",
    ),
    "names that a CGI would take for others": (
        f"{GET}X_Forwarded_For: 1\r\nX.Real.IP: 1\r\nX(A: 1\r\nX\xe9: 1\r\nConnection: close\r\n\r\n",
        {},
        "",
    ),
    "header without a colon": (f"{GET}XA\r\nConnection: close\r\n\r\n", {"XA": ""}, ""),
}
OF_THE_GATEWAY = {
    *("Host", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "traceparent"),
}


@pytest.fixture
def hello(gateway: Gateway, instance: Instance) -> Gateway:
    gateway.serve(instance.port)
    hosts = {**gateway.snapshot.hosts, "other.localhost": "default/hello"}
    gateway.push(hosts=hosts)
    return gateway


@pytest.mark.parametrize("shape", REFUSED)
def test_ambiguous_request_is_400_and_never_passed_on(hello: Gateway, instance: Instance, shape: str) -> None:
    answer = hello.raw(REFUSED[shape]).decode()
    assert answer.startswith("HTTP/1.1 400 "), answer
    assert "application/problem+json" in answer
    assert instance.seen == []


@pytest.mark.parametrize("shape", NORMALIZED)
def test_lenient_reading_leaves_no_room_behind_the_gateway(hello: Gateway, instance: Instance, shape: str) -> None:
    request, headers, body = NORMALIZED[shape]
    answer = hello.raw(request, half_close=False)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert {name: value for name, value in seen["headers"] if name not in OF_THE_GATEWAY} == headers
    assert (seen["body"], len(instance.seen)) == (body, 1)


def test_body_that_was_refused_is_not_taken_for_a_request(hello: Gateway, instance: Instance) -> None:
    inner = "GET /inner HTTP/1.1\r\nHost: hello.localhost\r\n\r\n"
    outer = f"POST / HTTP/1.1\r\nHost: nobody.localhost\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
    last = "GET /last HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n"
    assert hello.raw(outer + last, half_close=False).count(b"HTTP/1.1 ") == 2
    assert instance.seen == [("GET", "/last")]


def test_body_above_the_limit_is_413(start_gateway: MakeGateway, instance: Instance) -> None:
    gateway = start_gateway(max_body_bytes=1000)
    gateway.serve(instance.port)
    assert gateway.request("POST", body=b"x" * 1000).status == 200
    answer = gateway.request("POST", body=b"x" * 1001)
    assert (answer.status, answer.kind) == (413, "http-413")


def test_chunked_body_that_never_ends_is_413_and_not_passed_on(start_gateway: MakeGateway, instance: Instance) -> None:
    gateway = start_gateway(max_body_bytes=100_000)
    gateway.serve(instance.port)
    answer = gateway.raw(CHUNKED + "1000\r\n" + "x" * 0x1000 + ("\r\n1000\r\n" + "x" * 0x1000) * 30)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert instance.seen == []


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"{GET}X-Large: {'x' * 20_000}\r\n\r\n", 431),
        (GET + f"X-Many: {'x' * 1000}\r\n" * 100 + "\r\n", 431),
        # A header of 10 MB is refused after the first 64 KiB.
        (GET + f"X-Many: {'x' * 8000}\r\n" * 1250, 431),
        (f"GET /{'x' * 20_000} HTTP/1.1\r\nHost: hello.localhost\r\n\r\n", 414),
    ],
    ids=["one", "many", "10 MB", "path"],
)
def test_header_above_the_limit_is_refused(hello: Gateway, instance: Instance, text: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", hello.edge_port), PATIENCE_S) as client:
        client.settimeout(PATIENCE_S)
        # The gateway closes before all of it is sent, and then its answer may be lost on the way; the log has it.
        with contextlib.suppress(ConnectionError):
            client.sendall(text.encode())
            assert client.recv(65536).startswith(f"HTTP/1.1 {status} ".encode())
    assert hello.requests(1)[0]["status"] == status
    assert instance.seen == []


def test_five_hundred_half_requests_are_closed_in_time_and_hold_up_nobody(
    start_gateway: MakeGateway, instance: Instance
) -> None:
    # One client may have all of them on one worker.
    gateway = start_gateway(client_header_timeout_s=2, worker_connections=4096)
    gateway.serve(instance.port)
    began, slowest, closed, served = time.monotonic(), 0.0, 0, 0
    clients = [socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) for _ in range(500)]
    with selectors.DefaultSelector() as selector, gateway.connect() as honest:
        for client in clients:
            client.sendall(GET.encode())
            selector.register(client, selectors.EVENT_READ)
        while closed < len(clients):
            assert time.monotonic() - began < PATIENCE_S
            sent = time.monotonic()
            honest.request("GET", "/", headers={"Host": "hello.localhost"})
            response = honest.getresponse()
            response.read()
            assert response.status == 200
            served += 1
            slowest = max(slowest, time.monotonic() - sent)
            for key, _ in selector.select(0.01):
                selector.unregister(key.fileobj)
                closed += 1
            # A header that comes in drops gets no more time than one that stops.
            for key in list(selector.get_map().values())[:50]:
                drip(key.fileobj)  # type: ignore[arg-type]
    took = time.monotonic() - began
    for client in clients:
        client.close()
    assert 2 <= took < 2 + PATIENCE_S / 4
    assert slowest < 1
    assert len(instance.seen) == served


def drip(client: socket.socket) -> None:
    """Send one more byte of a header, unless the gateway has just closed the connection."""
    with contextlib.suppress(ConnectionError):
        client.send(b"x")


def test_slow_body_is_closed_at_its_timeout(start_gateway: MakeGateway, instance: Instance) -> None:
    gateway = start_gateway(client_body_timeout_s=1)
    gateway.serve(instance.port)
    with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(f"{POST}Content-Length: 10\r\n\r\nabc".encode())
        with pytest.raises(ConnectionResetError):
            client.recv(1024)
    assert instance.seen == []


def test_http2_head_that_drips_is_closed_as_an_idle_connection_is(start_gateway: MakeGateway) -> None:
    edge, internal, h2c = free_ports(3)
    listeners = (
        Listener("edge", f"127.0.0.1:{edge}"),
        Listener("internal", f"127.0.0.1:{internal}"),
        Listener("edge", f"127.0.0.1:{h2c}", http2=True),
    )
    gateway = start_gateway(client_header_timeout_s=1, client_idle_s=2, listeners=listeners)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.h2c_port), PATIENCE_S) as client:
        # The preface, empty settings, and the first bytes of a frame of 16,000 bytes of headers.
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        client.sendall(b"\x00\x3e\x80\x01\x04\x00\x00\x00\x01")
        client.settimeout(0.3)
        with contextlib.suppress(ConnectionError):
            while not closed_meanwhile(client):
                drip(client)
    # To nginx 1.22 such a connection is idle.
    assert_lasted(time.monotonic() - began, 2)


@pytest.mark.parametrize("path", ["/", "/aside"], ids=["plain", "waiting"])
def test_small_body_that_drips_is_closed_at_its_timeout(
    start_gateway: MakeGateway, instance: Instance, path: str
) -> None:
    gateway = start_gateway(client_body_timeout_s=1)
    # Without an instance it is read before it waits for one.
    gateway.serve(*[instance.port] if path == "/" else [])
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(f"{POST}Content-Length: 1000\r\n\r\n".encode())
        client.settimeout(0.3)
        with contextlib.suppress(ConnectionError):
            while not closed_meanwhile(client):
                drip(client)
    # The clock of bodies is looked at now and then, some time after they are due.
    assert_lasted(time.monotonic() - began, 1)
    assert instance.seen == []


def closed_meanwhile(client: socket.socket) -> bool:
    """Wait for the client's timeout; whether the gateway closes the connection meanwhile."""
    try:
        return client.recv(1024) == b""
    except TimeoutError:
        return False


def test_body_that_is_whole_in_time_leaves_no_deadline_to_the_wait_for_an_instance(
    start_gateway: MakeGateway, instance: Instance, in_background: Any
) -> None:
    gateway = start_gateway(client_body_timeout_s=1)
    gateway.serve()
    answer = in_background(gateway.request, "POST", body=b"abc")
    with pytest.raises(TimeoutError):
        answer.result(2.5)
    gateway.serve(instance.port)
    assert answer.result(PATIENCE_S).json()["body"] == "abc"


def test_security_headers_are_added_where_the_instance_sets_none(hello: Gateway) -> None:
    for answer in (hello.request(), hello.request(path="/status=500"), hello.request(host="nobody.localhost")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


def test_referrer_policy_of_the_instance_counts(hello: Gateway) -> None:
    answer = hello.request(headers={"X-Answer": "X-Content-Type-Options: own | Referrer-Policy: no-referrer"})
    # The first has one value only; what else an instance says there means nothing.
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Referrer-Policy"]) == ("nosniff", "no-referrer")


def test_no_header_is_sent_twice(hello: Gateway) -> None:
    said = {"X-Answer": "X-Content-Type-Options: nosniff | Referrer-Policy: no-referrer | X-Request-Id: own"}
    for headers in ({}, said, {**said, "Accept": "text/event-stream"}):
        for path, host in (("/", "hello.localhost"), ("/status=500", "hello.localhost"), ("/", "nobody.localhost")):
            with hello.connect() as connection:
                connection.request("GET", path, headers={"Host": host, **headers})
                names = [name.lower() for name, _ in connection.getresponse().getheaders()]
            assert sorted(names) == sorted(set(names))


def test_security_headers_can_be_turned_off(start_gateway: MakeGateway, instance: Instance) -> None:
    gateway = start_gateway(security_headers=False)
    gateway.serve(instance.port)
    assert not {"X-Content-Type-Options", "Referrer-Policy"} & set(gateway.request().headers)


def test_call_between_services_gets_no_headers_for_browsers(hello: Gateway) -> None:
    hello.push(
        services={**hello.snapshot.services, "default/web": service(uses=("hello",))}, callers={CALLER: "default/web"}
    )
    answer = hello.request(host="hello.internal", source=CALLER)
    assert not {"X-Content-Type-Options", "Referrer-Policy"} & set(answer.headers)
