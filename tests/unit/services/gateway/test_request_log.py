"""The request log: one JSON object a line, whatever the request was."""

from __future__ import annotations

import socket
import threading
from datetime import datetime
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from runyard.contracts import RequestLine, decode, fields_of
from tests.harness.ports import free_ports
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service

CALLER = "127.0.0.2"


def test_line_tells_the_whole_story_of_a_request(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    answer = gateway.request("POST", "/a/b?token=secret", host="hello.localhost:3000", body=b"x" * 100)
    [line] = gateway.requests(1)
    assert set(line) == fields_of(RequestLine)
    expected = {
        "request_id": answer.headers["X-Request-Id"],
        "listener": "edge",
        "client": "127.0.0.1",
        "caller": "",
        "host": "hello.localhost",
        "tenant": "default",
        "service": "hello",
        "revision": "hello-1",
        "instance": f"127.0.0.1:{instance.port}",
        "instances": f"127.0.0.1:{instance.port}",
        "method": "POST",
        "path": "/a/b",
        "status": 200,
        "retries": 0,
        "held_s": 0,
    }
    assert {name: line[name] for name in expected} == expected
    assert line["bytes_in"] > 100
    assert line["bytes_out"] > len(answer.body)
    # nginx rounds each of the two to a millisecond by itself.
    assert 0 <= float(line["header_s"]) <= line["duration_s"] + 0.002 < 5
    assert abs(datetime.fromisoformat(line["time"]).timestamp() - line["unix_s"]) < 1
    assert "secret" not in str(line)


@pytest.mark.parametrize("path", ["/", '/"\\'])
def test_line_is_what_the_contract_says_also_of_what_reached_no_instance(
    gateway: Gateway, instance: Instance, path: str
) -> None:
    gateway.serve(instance.port)
    gateway.raw(f"GET {path} HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n", half_close=False)
    gateway.request(host="nobody.localhost")
    gateway.requests(2)
    texts = Path(gateway.config.request_log).read_text().splitlines()
    lines = [decode(RequestLine, text) for text in texts]
    # Each worker writes its own lines, a moment after its answer.
    assert sorted((each.service, each.status, each.held_s) for each in lines) == [("", 404, 0.0), ("hello", 200, 0.0)]


def test_log_holds_no_secret_of_a_request_or_an_answer(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    canary = "canary-5f1d"
    secrets = {
        "Authorization": f"Bearer {canary}",
        "Proxy-Authorization": f"Basic {canary}",
        "Cookie": f"session={canary}",
        "X-Api-Key": canary,
        "Referer": f"http://hello.localhost/?token={canary}",
        "User-Agent": canary,
        "X-Forwarded-For": canary,
        "X-Answer": f"Set-Cookie: session={canary} | Location: /?code={canary}",
    }
    for path in (f"/?token={canary}", f"/#{canary}?token={canary}", f"http://hello.localhost/?token={canary}"):
        gateway.request("POST", path, headers=secrets, body=canary.encode())
    gateway.request(path=f"/?token={canary}", host="nobody.localhost", headers=secrets)
    # A user and password before the host are refused, and then not logged either.
    gateway.raw(f"GET http://{canary}:{canary}@hello.localhost/ HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
    assert len(gateway.requests(5)) == 5
    assert canary not in Path(gateway.config.request_log).read_text()
    assert len(instance.seen) == 3


def test_line_of_a_call_names_the_caller(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    services = {**gateway.snapshot.services, "default/web": service(uses=("hello",))}
    gateway.push(services=services, callers={CALLER: "default/web"})
    gateway.request(host="hello.internal", source=CALLER)
    gateway.request(host="other.internal", source=CALLER)
    lines = gateway.requests(2)
    story = [(each["listener"], each["caller"], each["service"], each["status"]) for each in lines]
    assert sorted(story) == [("internal", "web", "", 403), ("internal", "web", "hello", 200)]


def test_line_of_a_retried_request_names_every_instance(gateway: Gateway, instance: Instance) -> None:
    [dead] = free_ports(1)
    gateway.serve(dead, instance.port)
    for _ in range(20):
        gateway.request()
    retried = [each for each in gateway.requests(20) if each["retries"]]
    assert retried
    for line in retried:
        assert (line["instances"], line["connect_s"][0]) == (f"127.0.0.1:{dead}, 127.0.0.1:{instance.port}", "-")
        assert (line["instance"], line["retries"], line["status"]) == (f"127.0.0.1:{instance.port}", 1, 200)


def test_odd_requests_leave_lines_of_plain_json(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    gateway.raw('GET /"\\\x01 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n')
    gateway.raw("GET /\xff\x80 HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n", half_close=False)
    gateway.raw('GET /"{$x}\\ HTTP/1.1\r\nHost: "\xff"\r\nConnection: close\r\n\r\n', half_close=False)
    gateway.raw(f"GET /{'x' * 4000} HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n", half_close=False)
    gateway.raw("GARBAGE\r\n\r\n")
    lines = gateway.requests(5)
    assert {line["status"] for line in lines} <= {200, 400, 404}
    assert max(len(line["path"]) for line in lines) == 1024
    assert str(lines).isascii()


def test_line_of_a_request_that_was_ended_without_an_answer_is_json(gateway: Gateway) -> None:
    """An instance that takes a body slowly keeps nginx's own clocks from the 504."""
    with socket.create_server(("127.0.0.1", 0)) as instance:
        gateway.serve(instance.getsockname()[1], timeout_s=1)
        stopped = threading.Event()

        def read_slowly() -> None:
            accepted, _ = instance.accept()
            with accepted:
                while not stopped.wait(0.01) and accepted.recv(65536):
                    pass

        reader = threading.Thread(target=read_slowly)
        reader.start()
        try:
            # More than it reads in that time and the sockets between the two can hold.
            with pytest.raises((RemoteDisconnected, ConnectionResetError)):
                gateway.request("POST", body=b"x" * 24_000_000)
        finally:
            stopped.set()
            reader.join()
    assert gateway.requests(1)[0]["status"] == 444


def test_line_fits_into_one_write_to_a_pipe(gateway: Gateway, instance: Instance) -> None:
    gateway.push(
        services={"default/" + "s" * 63: service(("r" * 63, 100))},
        hosts={"h" * 63 + ".localhost": "default/" + "s" * 63},
        endpoints={"default/" + "r" * 63: endpoints(instance.port)},
    )
    paths = ("/" + '"' * 5000, "/" + "x" * 5000, "/" + "x" * 1020 + '"' * 5000)
    for method, path in zip(("GET", "X" * 5000, "M-SEARCH"), paths, strict=True):
        gateway.request(method, path, host="h" * 63 + ".localhost")
    odd = "Y" * 8000 + " / HTTP/1.1\r\nHost: " + '"' * 200
    gateway.raw(f"{odd}\r\nConnection: close\r\n\r\n", half_close=False)
    lines = gateway.requests(4)
    assert {line["method"] for line in lines} == {"GET", "X" * 32, "M-SEARCH", "Y" * 32}
    assert sorted(len(line["path"]) for line in lines) == [1, 512, 512, 1024]
    # These leave room for 27 tries of an instance, three in each of nine rounds, of at most 60 bytes in the line.
    assert max(map(len, Path(gateway.config.request_log).read_bytes().splitlines())) < 4096 - 27 * 60
