"""What the cache keeps of what it may keep: never so much that its disk fills up, or more than a service may send."""

from __future__ import annotations

import contextlib
import os
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from runyard.contracts import Handling
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.nginx import Gateway, settled

FRESH = "HTTP/1.1 200 Fine\r\nConnection: close\r\nCache-Control: max-age=60\r\n"


class Sender(socketserver.ThreadingTCPServer):
    """Answers every request with the same bytes and closes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SenderHandler)
        self.answer = b""
        self.asked = 0

    def send(self, head: str, body: bytes) -> None:
        self.answer = (FRESH + head + "\r\n").encode() + body


class SenderHandler(socketserver.StreamRequestHandler):
    server: Sender

    def handle(self) -> None:
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.server.asked += 1
        # The gateway cuts what is too long.
        with contextlib.suppress(OSError):
            self.wfile.write(self.server.answer)


@pytest.fixture
def sender() -> Iterator[Sender]:
    with Sender() as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def asked(gateway: Gateway, sender: Sender, count: int = 2, path: str = "/a") -> int:
    """Ask so often, and tell how many of them reached the instance."""
    before = sender.asked
    for _ in range(count):
        with contextlib.suppress(HTTPException, OSError):
            gateway.request(path=path)
    settled(gateway)
    return sender.asked - before


CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "body", "kept"),
    [
        ("Content-Length: 3\r\n", b"abc", True),
        ("Content-Length: 131072\r\n", b"x" * 131072, True),
        # More than the eighth part of the cache.
        ("Content-Length: 131073\r\n", b"x" * 131073, False),
        ("", b"abc", False),
        ("Transfer-Encoding: chunked\r\n", CHUNKS, False),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", CHUNKS, False),
        ("Content-Length: 3\r\nContent-Length: 200000\r\n", b"x" * 200000, False),
    ],
)
def test_only_what_tells_a_length_and_is_not_long_is_kept(
    start_gateway: MakeGateway, sender: Sender, head: str, body: bytes, kept: bool
) -> None:
    gateway = start_gateway(cache_mib=1)
    gateway.serve(int(sender.server_address[1]), handling=Handling(cache=True))
    sender.send(head, body)
    assert asked(gateway, sender) == (1 if kept else 2)


@pytest.mark.parametrize("head", ["Content-Length: 3000\r\n", "Connection: close\r\n"])
def test_response_above_its_services_limit_is_not_kept(gateway: Gateway, sender: Sender, head: str) -> None:
    gateway.serve(int(sender.server_address[1]), handling=Handling(cache=True, max_response_bytes=1000))
    sender.send(head, b"x" * 3000)
    assert asked(gateway, sender) == 2


def test_kept_response_is_held_to_a_limit_that_came_later(gateway: Gateway, sender: Sender) -> None:
    port = int(sender.server_address[1])
    gateway.serve(port, handling=Handling(cache=True))
    sender.send("Content-Length: 3000\r\n", b"x" * 3000)
    assert asked(gateway, sender) == 1
    gateway.serve(port, handling=Handling(cache=True, max_response_bytes=1000))
    answer = gateway.request(path="/a")
    assert (answer.status, answer.kind) == (502, "response-too-large")
    assert sender.asked == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a directory on a disk of 512 KiB, which takes root."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    disk = tmp_path / "disk"
    (disk / "cache").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", disk / "cache"], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk / "cache"], check=True)


def test_disk_of_the_cache_is_never_full_and_no_response_is_cut(
    start_gateway: MakeGateway, small_disk: Path, sender: Sender
) -> None:
    gateway = start_gateway(temporary_directory=str(small_disk), cache_mib=1)
    gateway.serve(int(sender.server_address[1]), handling=Handling(cache=True))
    sender.send("Content-Length: 100000\r\n", b"x" * 100_000)
    for number in range(10):
        assert len(gateway.request(path=f"/{number}").body) == 100_000
    assert gateway.errors() == ""
    assert asked(gateway, sender, 1, "/0") == 0
