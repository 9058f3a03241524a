"""Bodies: how large they may be, by service, and how they pass without being kept."""

from __future__ import annotations

import socket
import subprocess
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path

import pytest

from runyard.contracts import Handling
from runyard.gateway import Listener
from tests.harness.ports import free_ports
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, settled

UNBUFFERED = Handling(request_buffering=False)


def start_upload(connection: HTTPConnection, path: str, method: str = "POST") -> None:
    """Send the head of a request with a body of unknown length."""
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", "hello.localhost")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()


def send_chunk(connection: HTTPConnection, data: bytes) -> None:
    connection.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def upload(gateway: Gateway, path: str, *chunks: bytes) -> tuple[int, str]:
    with gateway.connect() as connection:
        start_upload(connection, path)
        for chunk in (*chunks, b""):
            send_chunk(connection, chunk)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_chunks_pass_both_ways_as_they_come(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, handling=UNBUFFERED)
    with gateway.connect() as connection:
        start_upload(connection, "/hear")
        send_chunk(connection, b"one")
        response = HTTPResponse(connection.sock, method="POST")
        response.begin()
        assert response.readline() == b"heard one\n"
        # The instance has answered, and the request is not yet whole.
        send_chunk(connection, b"two")
        assert response.readline() == b"heard two\n"
        send_chunk(connection, b"")
        assert response.read() == b""


def test_usual_request_reaches_the_instance_whole(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    with gateway.connect() as connection:
        start_upload(connection, "/x")
        send_chunk(connection, b"one")
        gateway.admin("GET", "/healthz")
        assert instance.seen == []
        send_chunk(connection, b"")
        assert connection.getresponse().read().find(b'"body": "one"') > 0


def test_unbuffered_body_with_a_length_passes_whole(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, handling=UNBUFFERED)
    body = bytes(range(256)) * 4000
    for _ in range(3):
        assert gateway.request("PUT", body=body).json()["body"].encode("latin-1") == body


def test_unbuffered_request_waits_for_an_instance_unread(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(handling=UNBUFFERED)
    with gateway.connect() as connection:
        start_upload(connection, "/hear")
        send_chunk(connection, b"one")
        gateway.push(endpoints={"default/hello-1": endpoints(instance.port)})
        response = HTTPResponse(connection.sock, method="POST")
        response.begin()
        assert response.readline() == b"heard one\n"
        send_chunk(connection, b"")
        assert response.read() == b""


def test_unbuffered_body_is_not_sent_again_when_it_was_begun(gateway: Gateway, make_instance: MakeInstance) -> None:
    instances = [make_instance("one"), make_instance("two")]
    gateway.serve(*(each.port for each in instances), handling=UNBUFFERED)
    with gateway.connect() as connection:
        connection.putrequest("PUT", "/break", skip_host=True)
        for name, value in {"Host": "hello.localhost", "Content-Length": "3"}.items():
            connection.putheader(name, value)
        connection.endheaders(b"a")
        until(lambda: sum(each.connections for each in instances) == 1, "an instance is asked")
        connection.send(b"bc")
        response = connection.getresponse()
        assert (response.status, b"instance-failed" in response.read()) == (502, True)
    assert sum(len(each.seen) for each in instances) == 1
    settled(gateway)


def test_unbuffered_body_that_no_instance_took_is_refused_and_never_cut_short(
    gateway: Gateway, instance: Instance
) -> None:
    [gone] = free_ports(1)
    gateway.serve(gone, handling=UNBUFFERED)
    answer = gateway.request("PUT", body=b"x" * 100_000)
    assert (answer.status, answer.kind) == (502, "instance-failed")
    gateway.serve(gone, instance.port, handling=UNBUFFERED)
    for _ in range(10):
        assert len(gateway.request("PUT", body=b"x" * 100_000).json()["body"]) == 100_000


@pytest.mark.parametrize("buffering", [True, False])
def test_body_above_the_services_limit_is_413(gateway: Gateway, instance: Instance, buffering: bool) -> None:
    gateway.serve(instance.port, handling=Handling(max_request_bytes=1000, request_buffering=buffering))
    assert gateway.request("POST", body=b"x" * 1000).status == 200
    answer = gateway.request("POST", body=b"x" * 1001)
    assert (answer.status, answer.kind) == (413, "request-too-large")
    assert instance.seen == [("POST", "/")]


def test_body_of_unknown_length_above_the_services_limit_is_413(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, handling=Handling(max_request_bytes=100_000))
    assert upload(gateway, "/", b"x" * 50_000, b"x" * 50_000)[0] == 200
    status, text = upload(gateway, "/", b"x" * 50_000, b"x" * 50_001)
    assert (status, "request-too-large" in text) == (413, True)
    assert upload(gateway, "/", b"x" * 1000)[0] == 200
    assert len(instance.seen) == 2


LIMITED_UPLOADS = Handling(max_request_bytes=1000, request_buffering=False)


def test_unbuffered_body_of_unknown_length_is_411_where_the_service_has_a_limit(
    gateway: Gateway, instance: Instance
) -> None:
    gateway.serve(instance.port, handling=LIMITED_UPLOADS)
    for size in (50_000, 10):
        status, text = upload(gateway, "/", b"x" * size)
        assert (status, "urn:runyard:problem:length-required" in text) == (411, True)
    assert instance.seen == []
    assert [gateway.request(method).status for method in ("GET", "POST", "DELETE")] == [200] * 3
    assert gateway.request("PUT", body=b"x" * 1000).status == 200
    # It waits for an instance: no reason to take it.
    gateway.serve(handling=LIMITED_UPLOADS)
    assert upload(gateway, "/", b"x")[0] == 411


def send_http2(gateway: Gateway, method: str, body: bytes | None = None, length: int | None = None) -> None:
    """Send a request over HTTP/2, its body without a length unless that is told."""
    command = ["curl", "-s", "--http2-prior-knowledge", "-X", method, "-H", "Host: hello.localhost"]
    command += ["-T", "-"] if body is not None else []
    command += ["-H", f"Content-Length: {length}"] if length is not None else []
    # Not asked what it was told: curl 7.88 takes an answer that comes before the end of the body for a failure.
    subprocess.run(
        [*command, f"http://127.0.0.1:{gateway.h2c_port}/x"], input=body, capture_output=True, timeout=PATIENCE_S
    )


@pytest.fixture
def h2c_gateway(start_gateway: MakeGateway) -> Gateway:
    edge, internal, h2c = free_ports(3)
    return start_gateway(
        # One, whose log tells in which order it answered.
        workers=1,
        listeners=(
            Listener("edge", f"127.0.0.1:{edge}"),
            Listener("internal", f"127.0.0.1:{internal}"),
            Listener("edge", f"127.0.0.1:{h2c}", http2=True),
        ),
    )


def test_unbuffered_http2_request_is_411_only_when_it_has_a_body(h2c_gateway: Gateway, instance: Instance) -> None:
    h2c_gateway.serve(instance.port, handling=LIMITED_UPLOADS)
    for method in ("GET", "POST", "DELETE"):
        send_http2(h2c_gateway, method)
        send_http2(h2c_gateway, method, b"x" * 50_000)
    send_http2(h2c_gateway, "PUT", b"x" * 1000, length=1000)
    send_http2(h2c_gateway, "PUT", b"x" * 1001, length=1001)
    assert [each["status"] for each in h2c_gateway.requests(8)] == [*[200, 411] * 3, 200, 413]
    assert [method for method, _ in instance.seen] == ["GET", "POST", "DELETE", "PUT"]
    settled(h2c_gateway)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_buffered_http2_body_of_unknown_length_is_measured(
    h2c_gateway: Gateway, instance: Instance, method: str
) -> None:
    h2c_gateway.serve(instance.port, handling=Handling(max_request_bytes=100_000))
    for body in (None, b"x" * 100_000, b"x" * 100_001):
        send_http2(h2c_gateway, method, body)
    assert [each["status"] for each in h2c_gateway.requests(3)] == [200, 200, 413]


def test_held_request_is_measured_too(gateway: Gateway) -> None:
    gateway.serve(handling=Handling(max_request_bytes=10))
    assert gateway.request("POST", body=b"x" * 11).kind == "request-too-large"


@pytest.mark.parametrize("path", ["/size=1001", "/chunks=1001"])
def test_response_above_the_services_limit_is_a_failure(gateway: Gateway, instance: Instance, path: str) -> None:
    gateway.serve(instance.port, handling=Handling(max_response_bytes=1000))
    assert len(gateway.request(path=path.replace("1001", "1000")).body) == 1000
    if path.startswith("/size"):
        answer = gateway.request(path=path)
        assert (answer.status, answer.kind) == (502, "response-too-large")
        assert "x" * 10 not in answer.body.decode()
    else:
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            gateway.request(path=path)
    assert gateway.request("HEAD", "/size=5").status == 200
    settled(gateway)


def test_large_response_is_cut_at_the_limit(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port, handling=Handling(max_response_bytes=100_000))
    with socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(b"GET /chunks=10000000 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        received = 0
        try:
            while data := client.recv(65536):
                received += len(data)
        except ConnectionResetError:
            pass
    assert received < 110_000


def test_client_of_a_response_that_was_too_large_is_told_that_its_connection_ends(
    gateway: Gateway, instance: Instance
) -> None:
    gateway.serve(instance.port, handling=Handling(max_response_bytes=1000))
    answer = gateway.raw("GET /size=5000 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n", half_close=False)
    assert answer.count(b"HTTP/1.1 502") == 1
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("handling", [Handling(), Handling(max_request_bytes=1_000_000)])
@pytest.mark.parametrize("ports", [0, 1])
def test_body_that_cannot_be_written_is_refused_at_once_and_reaches_nobody(
    gateway: Gateway, instance: Instance, handling: Handling, ports: int
) -> None:
    """A part of it would: the instance waited for the rest, or took the next request for it."""
    gateway.serve(*[instance.port][:ports], handling=handling)
    room = Path(gateway.config.temporary_directory) / "body"
    room.rmdir()
    room.touch()
    refused = gateway.request("POST", body=b"x" * 300_000)
    assert (refused.status, refused.kind, refused.headers["Retry-After"]) == (503, "no-room", "1")
    status, text = upload(gateway, "/", b"x" * 50_000, b"x" * 50_000)
    assert (status, "no-room" in text) == (503, True)
    assert instance.seen == []
    room.unlink()
    room.mkdir()
    gateway.serve(instance.port, handling=handling)
    assert gateway.request("POST", body=b"x" * 300_000).status == 200
    settled(gateway)
