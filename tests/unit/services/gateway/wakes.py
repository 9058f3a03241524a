"""First requests of sleeping services, of every kind, and what became of each of them."""

from __future__ import annotations

import json
import socket
from collections import Counter
from dataclasses import dataclass

from runyard.contracts import GatewayEndpoints, GatewayService, Handling
from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.calls import SERVICE, CallClient, CallServer, identity
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service
from tests.unit.services.gateway.waker import Waker

# More than nginx keeps in memory of a body, which then lies in a file while it waits.
LARGE = b"x" * 100_000
# Method, further headers and body; a length is told of a body, if not that it comes in chunks.
KINDS: list[tuple[str, str, bytes]] = [
    ("GET", "", b""),
    ("POST", "", b"small"),
    ("HEAD", "", b""),
    ("PUT", "", LARGE),
    ("GET", "Accept: text/event-stream\r\n", b""),
    ("POST", "Transfer-Encoding: chunked\r\n", b"in chunks"),
    ("DELETE", "", b""),
    ("PATCH", "", b"patch"),
    ("GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n", b""),
    ("OPTIONS", "", b""),
]
CHUNKED, UPGRADE = 5, 8
CALL_CHANNELS = 5


@dataclass(frozen=True)
class First:
    """A request that was sent to a sleeping service, and the connection on which its answer comes."""

    kind: int
    path: str
    client: socket.socket

    def answer(self) -> str:
        """Read the whole answer; gives what is wrong with it, or nothing."""
        with self.client as client:
            text = _read_head(client)
            if self.kind == UPGRADE:
                if not text.startswith(b"HTTP/1.1 101 "):
                    return f"{self.path}: {text[:300]!r}"
                client.sendall(b"over the socket")
                heard = client.recv(1024)
                return "" if heard == b"over the socket" else f"{self.path}: heard {heard!r}"
            text += b"".join(iter(lambda: client.recv(65536), b""))
        method, _, body = KINDS[self.kind]
        head, _, echo = text.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            return f"{self.path}: {head[:300]!r}"
        if method == "HEAD":
            return ""
        told = json.loads(echo)
        return "" if (told["method"], told["body"]) == (method, body.decode()) else f"{self.path}: {told}"


def _read_head(client: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        data = client.recv(65536)
        if not data:
            break
        text += data
    return text


def send_first(gateway: Gateway, name: str, kind: int, number: int) -> First:
    """Send a request of this kind to a service, on a connection of its own."""
    method, headers, body = KINDS[kind]
    path = f"/{'upgrade' if kind == UPGRADE else 'first'}/{name}/{number}"
    if kind == CHUNKED:
        sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        headers += f"Content-Length: {len(body)}\r\n" if body else ""
        sent = body
    headers += "" if kind == UPGRADE else "Connection: close\r\n"
    client = socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S)
    client.sendall(f"{method} {path} HTTP/1.1\r\nHost: {name}.localhost\r\n{headers}\r\n".encode() + sent)
    return First(kind, path, client)


class Wakes:
    """Services that sleep, before one instance that speaks HTTP/1.1 and one that speaks gRPC.

    Every fifth is called by gRPC; every third of the others takes bodies as they come.
    """

    def __init__(self, gateway: Gateway, instance: Instance, server: CallServer, count: int) -> None:
        self.gateway, self.instance, self.server = gateway, instance, server
        self.names = [f"s{number}" for number in range(count)]
        gateway.push(
            services={f"default/{name}": self._service(name) for name in self.names},
            hosts={f"{name}.localhost": f"default/{name}" for name in self.names},
            endpoints={f"default/{name}-1": self._endpoints(name, 0) for name in self.names},
        )

    def is_called(self, name: str) -> bool:
        """Whether a service speaks gRPC."""
        return self.names.index(name) % 5 == 4

    def _service(self, name: str) -> GatewayService:
        whole = self.is_called(name) or self.names.index(name) % 3 != 1
        return service((f"{name}-1", 100), handling=Handling(request_buffering=whole))

    def _endpoints(self, name: str, count: int) -> GatewayEndpoints:
        called = self.is_called(name)
        port = self.server.port if called else self.instance.port
        return endpoints(*[port] * count, protocol="h2c" if called else "http1", start_timeout_s=60)

    def wake(self, waker: Waker, name: str, requests: int, early: bool) -> list[str]:
        """Send so many first requests and start the service, `early` with the first of them; gives what went wrong."""
        key = f"default/{name}-1"
        if early:
            waker.starts[key] = self._endpoints(name, 1)
        send = self._call if self.is_called(name) else self._send
        wrong = send(waker, name, requests, not early)
        if name not in {each.removeprefix("default/").removesuffix("-1") for _, each in waker.heard}:
            wrong.append(f"{name}: the orchestrator has heard nothing")
        return wrong

    def _start(self, waker: Waker, name: str, requests: int) -> None:
        key = f"default/{name}-1"
        until(lambda: self._waiting(key) == requests, f"all first requests of {name} wait")
        # Nobody starts what nobody asked for; an endpoint that came by itself would leave nothing to ask for.
        until(lambda: waker.times(key), f"{name} is named")
        waker.start(key, self._endpoints(name, 1))

    def _waiting(self, key: str) -> int:
        revisions = self.gateway.admin("GET", "/v1/load").json()["revisions"]
        return int(revisions.get(key, {"waiting": 0})["waiting"])

    def _send(self, waker: Waker, name: str, requests: int, late: bool) -> list[str]:
        before = len(self.instance.seen)
        # An instance of the tests takes no chunks, and the gateway makes none whole where bodies pass as they come.
        kinds = [kind for kind in range(len(KINDS)) if kind != CHUNKED or self.names.index(name) % 3 != 1]
        sent = [send_first(self.gateway, name, kinds[number % len(kinds)], number) for number in range(requests)]
        if late:
            self._start(waker, name, requests)
        wrong = [failure for each in sent if (failure := each.answer())]
        seen = Counter(path for _, path in self.instance.seen[before:])
        return wrong + [f"{each.path}: sent {seen[each.path]} times" for each in sent if seen[each.path] != 1]

    def _call(self, waker: Waker, name: str, requests: int, late: bool) -> list[str]:
        before = len(self.server.metadata)
        clients = [CallClient(self.gateway.h2c_port, f"{name}.localhost") for _ in range(CALL_CHANNELS)]
        calls = []
        for number in range(requests):
            channel = clients[number % CALL_CHANNELS].channel
            method = channel.unary_unary(f"/{SERVICE}/Unary", identity, identity)
            calls.append(method.future(b"%d" % number, timeout=PATIENCE_S, metadata=(("number", str(number)),)))
        if late:
            self._start(waker, name, requests)
        wrong = [
            f"{name}: call {number}: {call.exception() or call.result()}"
            for number, call in enumerate(calls)
            if call.exception() or call.result() != b"echo %d" % number
        ]
        for each in clients:
            each.channel.close()
        seen = Counter(each["number"] for each in self.server.metadata[before:])
        return wrong + [
            f"{name}: call {number}: sent {seen[str(number)]} times"
            for number in range(requests)
            if seen[str(number)] != 1
        ]
