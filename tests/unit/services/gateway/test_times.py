"""A service's times: first byte, silence and the whole; 504 before the response begins, a cut afterwards."""

from __future__ import annotations

import contextlib
import socket
import time
from http.client import HTTPConnection, IncompleteRead

import pytest

from runyard.contracts import Handling
from tests.harness.waiting import PATIENCE_S, until, wait_until
from tests.unit.services.gateway.conftest import MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, assert_lasted, endpoints, settled


def drain(gateway: Gateway, path: str, **headers: str) -> float:
    """Read a response that is cut, and give after how many seconds it was."""
    began = time.monotonic()
    with gateway.connect() as connection:
        connection.request("GET", path, headers={"Host": "hello.localhost", **headers})
        response = connection.getresponse()
        assert response.status == 200
        with contextlib.suppress(IncompleteRead, ConnectionResetError):
            while response.read(4):
                assert time.monotonic() - began < PATIENCE_S, "it goes on and on"
            pytest.fail("it ended as if it were whole")
    return time.monotonic() - began


def test_whole_time_is_504_before_the_response_begins(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, timeout_s=1)
    began = time.monotonic()
    answer = gateway.request(path="/wait")
    assert (answer.status, answer.kind) == (504, "instance-timeout")
    assert_lasted(time.monotonic() - began, 1)
    settled(gateway)


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_whole_time_cuts_a_response_that_trickles(gateway: Gateway, instance: Instance, accept: str) -> None:
    gateway.serve(instance.port, timeout_s=1)
    assert_lasted(drain(gateway, "/trickle", Accept=accept), 1)
    settled(gateway)
    assert gateway.request().status == 200


def test_whole_time_cuts_a_websocket(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, timeout_s=1)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(
            b"GET /upgrade HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        stream = client.makefile("rb")
        until(lambda: stream.readline() == b"\r\n", "the connection is upgraded")
        client.sendall(b"ping\n")
        assert stream.readline() == b"ping\n"
        with contextlib.suppress(ConnectionResetError):
            assert stream.readline() == b""
    assert_lasted(time.monotonic() - began, 1)
    settled(gateway)


def test_time_that_a_request_was_held_counts(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(timeout_s=5)
    began = time.monotonic()
    with gateway.connect() as connection:
        connection.request("GET", "/wait", headers={"Host": "hello.localhost"})
        wait_until(began + 4)
        gateway.serve(instance.port, timeout_s=5)
        assert connection.getresponse().status == 504
    assert_lasted(time.monotonic() - began, 5)


def test_request_whose_time_is_over_while_it_waits_is_answered(gateway: Gateway) -> None:
    gateway.serve(timeout_s=1)
    began = time.monotonic()
    assert gateway.request().status in (503, 504)
    assert_lasted(time.monotonic() - began, 1)


def test_first_byte_is_504_and_its_time_does_not_count_afterwards(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, timeout_s=20, handling=Handling(response_start_s=1))
    began = time.monotonic()
    answer = gateway.request(path="/wait")
    assert (answer.status, answer.kind) == (504, "instance-timeout")
    assert_lasted(time.monotonic() - began, 1)
    settled(gateway)
    with gateway.connect() as connection:
        connection.request("GET", "/stream", headers={"Host": "hello.localhost", "Accept": "text/event-stream"})
        response = connection.getresponse()
        assert response.readline() == b"first\n"
        wait_until(time.monotonic() + 2)
        instance.release()
        assert response.read() == b"last\n"


def test_connection_goes_on_after_a_late_response(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, handling=Handling(response_start_s=1))
    with gateway.connect() as connection:
        for path, status in (("/wait", 504), ("/", 200), ("/wait", 504), ("/", 200)):
            connection.request("POST", path, b"abc", headers={"Host": "hello.localhost"})
            response = connection.getresponse()
            response.read()
            assert response.status == status
    settled(gateway)


def test_silence_cuts_a_response_that_has_begun(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, timeout_s=20, handling=Handling(idle_s=1))
    assert_lasted(drain(gateway, "/stream"), 1)
    settled(gateway)


def test_silence_before_the_response_and_trickling_are_no_idle_time(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    instance = make_instance()
    gateway.serve(instance.port, timeout_s=20, handling=Handling(idle_s=1))
    with gateway.connect() as trickling, gateway.connect() as waiting:
        for connection, path in ((trickling, "/trickle"), (waiting, "/wait")):
            connection.request("GET", path, headers={"Host": "hello.localhost"})
        response = trickling.getresponse()
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            assert response.read(4) == b"drop"
        instance.release()
        assert waiting.getresponse().status == 200


def test_silence_cuts_a_websocket(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, timeout_s=20, handling=Handling(idle_s=1))
    with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(
            b"GET /upgrade HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        began = time.monotonic()
        answer = b"".join(iter(lambda: client.recv(1024), b""))
    assert answer.startswith(b"HTTP/1.1 101")
    assert_lasted(time.monotonic() - began, 1)


def test_many_requests_at_once_end_in_their_time(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, concurrency=0, timeout_s=20, handling=Handling(response_start_s=1))
    connections = [HTTPConnection("127.0.0.1", gateway.edge_port, PATIENCE_S) for _ in range(100)]
    for connection in connections:
        connection.request("GET", "/wait", headers={"Host": "hello.localhost"})
    assert [connection.getresponse().status for connection in connections] == [504] * 100
    for connection in connections:
        connection.close()
    settled(gateway)


def test_times_change_without_a_reload(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, timeout_s=20)
    with gateway.connect() as connection:
        connection.request("GET", "/trickle", headers={"Host": "hello.localhost"})
        response = connection.getresponse()
        gateway.serve(instance.port, timeout_s=1)
        began = time.monotonic()
        # What is under way keeps the time that it began with.
        while time.monotonic() - began < 2.5:
            assert response.read(4) == b"drop"
    gateway.push(endpoints={"default/hello-1": endpoints(instance.port)})
    assert gateway.request(path="/wait").status == 504
