"""What no instance may say in a response, on the plain way and beside it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from runyard.contracts import Handling
from tests.harness.waiting import PATIENCE_S
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, settled

# Beside the plain location by a limit of its responses.
WAYS = {"plain": Handling(), "aside": Handling(max_response_bytes=1_000_000)}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def handling(request: pytest.FixtureRequest) -> Handling:
    found: Handling = request.param
    return found


@pytest.fixture
def hello(start_gateway: MakeGateway, instance: Instance, handling: Handling) -> Gateway:
    gateway = start_gateway()
    gateway.serve(instance.port, handling=handling)
    return gateway


def cookie(gateway: Gateway, *said: str) -> list[str]:
    asked = " | ".join(f"Set-Cookie: {each}" for each in said)
    with gateway.connect() as connection:
        connection.request("GET", "/", headers={"Host": "hello.localhost", "X-Answer": asked})
        response = connection.getresponse()
        response.read()
        return response.headers.get_all("Set-Cookie", [])


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("a=1; Domain=localhost; Path=/", "a=1; Path=/"),
        ("a=1; domain=.LOCALHOST", "a=1"),
        ("a=1;\tDoMaIn\t=\tlocalhost\t;Secure", "a=1;Secure"),
        ("a=1; Domain=hello.localhost; Domain=localhost", "a=1; Domain=hello.localhost"),
        ('a=1; Domain="localhost"', "a=1"),
        ("a=1; Domain=other.localhost", "a=1"),
        ("a=1; Domain=", "a=1"),
        # Its own, and what is no attribute, are left as they are.
        ("a=1; Domain=Hello.localhost; Path=/", "a=1; Domain=Hello.localhost; Path=/"),
        ("a=1; Domain=.hello.localhost", "a=1; Domain=.hello.localhost"),
        ("domain=localhost; Path=/domain", "domain=localhost; Path=/domain"),
        ("a=1; Domain", "a=1; Domain"),
    ],
)
def test_cookie_is_for_the_services_own_host(hello: Gateway, said: str, passed: str) -> None:
    assert cookie(hello, said) == [passed]


def test_each_cookie_of_a_response_is_looked_at(hello: Gateway) -> None:
    assert cookie(hello, "a=1; Domain=localhost", "b=2", "c=3; Domain=localhost") == ["a=1", "b=2", "c=3"]


class Odd:
    """An instance that answers whatever it is asked with the same bytes, and ends."""

    def __init__(self, answer: bytes) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        # Closing alone wakes nobody: the thread would wait on, and take the connections of whoever gets the number of
        # its socket next.
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                with client:
                    client.recv(65536)
                    client.sendall(self._answer)


@pytest.fixture
def odd(request: pytest.FixtureRequest) -> Iterator[Odd]:
    made = Odd(request.param)
    yield made
    made.close()


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
EVIL = b"HTTP/1.1 200 Fine\r\nContent-Length: 4\r\n\r\nevil"


@pytest.mark.parametrize(
    "odd",
    [SWITCH + EVIL, b"HTTP/1.1 103 Early Hints\r\n\r\n" + EVIL, b"HTTP/1.1 099 Odd\r\nContent-Length: 4\r\n\r\nevil"],
    indirect=True,
    ids=["switch", "hints", "below"],
)
@pytest.mark.parametrize("upgrade", ["", "Connection: upgrade\r\nUpgrade: h2c\r\n"], ids=["unasked", "h2c"])
def test_status_that_answers_no_request_is_502(
    start_gateway: MakeGateway, odd: Odd, handling: Handling, upgrade: str
) -> None:
    gateway = start_gateway()
    gateway.serve(odd.port, handling=handling)
    answer = gateway.raw(f"GET / HTTP/1.1\r\nHost: hello.localhost\r\n{upgrade}\r\n", half_close=False)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"unsound-response" in answer
    assert b"evil" not in answer
    settled(gateway)


@pytest.mark.parametrize(
    "odd", [b"evil\r\n\r\n" + EVIL, b"HTTP/2 200\r\n\r\nevil", b"ICY 200 OK\r\n\r\nevil"], indirect=True
)
def test_response_without_a_status_line_is_cut(start_gateway: MakeGateway, odd: Odd, handling: Handling) -> None:
    gateway = start_gateway()
    gateway.serve(odd.port, handling=handling)
    with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert client.recv(65536) == b""
    settled(gateway)


def test_switch_to_a_websocket_that_was_asked_passes(hello: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", hello.edge_port), PATIENCE_S) as client:
        client.sendall(
            b"GET /upgrade HTTP/1.1\r\nHost: hello.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert client.recv(65536).startswith(b"HTTP/1.1 101 ")
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
