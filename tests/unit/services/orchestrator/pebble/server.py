"""Pebble, Let's Encrypt's ACME server for tests, built from the wrapper module beside this file."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.orchestrator.tls.authority import create_authority
from tests.harness.programs import go_program
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.nginx import free_ports

MODULE = Path(__file__).parent
PACKAGE = "github.com/letsencrypt/pebble/v2/cmd/pebble"


@dataclass(frozen=True)
class Pebble:
    """A running server: its directory, the CA of its own certificate, and its log."""

    directory: str
    ca: str
    management: str
    log: Path

    def root(self) -> str:
        """Ask for the root of the certificates that it issues."""
        context = ssl.create_default_context(cadata=self.ca)
        with urllib.request.urlopen(f"{self.management}/roots/0", context=context, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())


def pebble_binary() -> Path:
    """Build Pebble unless the cache has it, and return its path."""
    return go_program("tests/pebble", MODULE, PACKAGE)


@contextmanager
def running(directory: Path, http_port: int) -> Iterator[Pebble]:
    """Run Pebble, which finds every host at 127.0.0.1 and asks for challenges at this port."""
    acme, management = free_ports(2)
    authority = create_authority("localhost", "pebble", time.time())
    pair = authority.issue("localhost", time.time())
    (directory / "cert.pem").write_text(pair.chain)
    (directory / "key.pem").write_text(pair.key)
    settings = {
        "listenAddress": f"127.0.0.1:{acme}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(directory / "cert.pem"),
        "privateKey": str(directory / "key.pem"),
        "httpPort": http_port,
        "tlsPort": http_port,
        "domainBlocklist": ["blocked.example"],
        "retryAfter": {"authz": 1, "order": 1},
        "keyAlgorithm": "ecdsa",
        "profiles": {"default": {"description": "as usual", "validityPeriod": 7776000}},
    }
    (directory / "pebble.json").write_text(json.dumps({"pebble": settings}))
    # Without the pauses that it makes to keep clients honest about time; a twentieth of nonces is refused still.
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1"}
    with dns() as resolver, (directory / "pebble.log").open("wb") as log:
        command = [pebble_binary(), "-config", directory / "pebble.json", "-dnsserver", resolver]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            url = f"https://localhost:{acme}/dir"
            server = Pebble(url, authority.pair.chain, f"https://localhost:{management}", directory / "pebble.log")
            until(lambda: answers(acme), "Pebble listens")
            yield server
        finally:
            process.kill()
            process.wait(PATIENCE_S)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE_S).close()
    except OSError:
        return False
    return True


class Resolver(socketserver.StreamRequestHandler):
    """Answers a question for an A record with 127.0.0.1, and any other with nothing (RFC 1035, 4.1 and 4.2.2)."""

    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.rfile.read(2))
        query = self.rfile.read(length)
        end = query.index(b"\0", 12) + 5
        answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01" if query[end - 4 : end - 2] == b"\0\x01" else b""
        counts = b"\0\x01" + (b"\0\x01" if answer else b"\0\0") + b"\0\0\0\0"
        message = query[:2] + b"\x81\x80" + counts + query[12:end] + answer
        self.wfile.write(struct.pack("!H", len(message)) + message)


@contextmanager
def dns() -> Iterator[str]:
    """Run a resolver, over TCP as Pebble asks it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Resolver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield "127.0.0.1:" + str(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)
