"""Shares of traffic as they are kept, and what outlives a change of them."""

from __future__ import annotations

import json
import socket
from collections import Counter
from contextlib import ExitStack
from http.client import HTTPConnection

from tests.harness.waiting import PATIENCE_S, until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service, settled

REQUESTS = 10_000


def test_shares_hold_within_a_point_over_four_workers_and_while_they_change(
    start_gateway: MakeGateway, make_instance: MakeInstance
) -> None:
    gateway = start_gateway(workers=4)
    # A shift from a to c with b beside it: each step for a tenth of the requests.
    steps = [{"a": 80 - share, "b": 20, "c": share} for share in (1, 8, 16, 24, 33, 41, 50, 60, 70, 80)]
    ports = {name: make_instance(name).port for name in "abc"}
    places = {f"default/web-{name}": endpoints(port) for name, port in ports.items()}
    counts: Counter[str] = Counter()
    expected: Counter[str] = Counter()
    with ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect()) for _ in range(7)]
        for step in steps:
            shares = service(*((f"web-{name}", share) for name, share in step.items()))
            gateway.push(services={"default/web": shares}, hosts={"web.localhost": "default/web"}, endpoints=places)
            each = count_names(clients, REQUESTS // len(steps))
            # Within a point over all; a step of its own is a tenth of that, for each worker anew.
            assert all(abs(each[name] / 10 - share) < 3 for name, share in step.items()), (step, each)
            counts.update(each)
            expected.update(step)
    strays = {name: abs(counts[name] * 100 / REQUESTS - expected[name] / len(steps)) for name in ports}
    assert max(strays.values()) < 1, strays


def count_names(clients: list[HTTPConnection], requests: int) -> Counter[str]:
    """Count which instance answered, over connections that are several workers'."""
    counts: Counter[str] = Counter()
    for number in range(requests):
        client = clients[number % len(clients)]
        client.request("GET", "/", headers={"Host": "web.localhost"})
        counts[json.loads(client.getresponse().read())["name"]] += 1
    return counts


def test_websocket_and_stream_outlive_the_withdrawal_of_their_instance(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    old, new = make_instance("old"), make_instance("new")
    gateway.serve(old.port)
    hello = "GET /upgrade HTTP/1.1\r\nHost: hello.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    with gateway.connect() as stream, socket.create_connection(("127.0.0.1", gateway.edge_port), PATIENCE_S) as client:
        client.sendall(hello.encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        stream.request("GET", "/stream", headers={"Host": "hello.localhost", "Accept": "text/event-stream"})
        events = stream.getresponse()
        assert events.readline() == b"first\n"
        # What a rollout does: the traffic moves, then the old instance is withdrawn and drains.
        gateway.push(
            services={"default/hello": service(("hello-2", 100))},
            endpoints={"default/hello-1": endpoints(), "default/hello-2": endpoints(new.port)},
        )
        assert gateway.request().json()["name"] == "new"
        until(lambda: gateway.inflight() == {f"127.0.0.1:{old.port}": 2}, "the drain sees the socket and the stream")
        client.sendall(b"still there")
        assert client.recv(4096) == b"still there"
        old.release()
        assert events.read() == b"last\n"
    settled(gateway)
