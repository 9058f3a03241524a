"""The connections that a gateway has: who gets how many, and that nobody can take them all."""

from __future__ import annotations

import math
import socket
import time
from contextlib import ExitStack

import pytest

from tests.harness.waiting import until
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.crowd import crowd
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service

HEAD = b"POST /x HTTP/1.1\r\nHost: hello.localhost\r\n"
BODY = HEAD + b"Content-Length: 5\r\n\r\nx"
# Twice what the gateway may have.
MANY = 4000
# What a request of others may take at its worst; one that had to wait for a place would take seconds.
SOON_S = 0.25


def ended(gateway: Gateway, holder: str) -> int:
    name = f'runyard_gateway_connections_ended_total{{holder="{holder}"}} '
    lines = gateway.admin("GET", "/metrics").body.decode().splitlines()
    return sum(int(each.removeprefix(name)) for each in lines if each.startswith(name))


def p99_s(gateway: Gateway, count: int = 300) -> float:
    """Send requests on a connection each from 127.0.0.1; all must be answered, and the slowest but a hundredth tell."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        assert gateway.request().status == 200
        took.append(time.monotonic() - began)
    return sorted(took)[math.ceil(0.99 * count) - 1]


@pytest.mark.parametrize("text", [BODY, HEAD, b""], ids=["bodies", "heads", "silence"])
def test_client_that_takes_every_connection_slows_down_nobody_else(
    start_gateway: MakeGateway, instance: Instance, text: bytes
) -> None:
    gateway = start_gateway(workers=1, worker_connections=2048)
    gateway.serve(instance.port)
    assert p99_s(gateway) < SOON_S
    with crowd(gateway.edge_port, "127.0.0.9", MANY, text):
        assert p99_s(gateway) < SOON_S
        # The orchestrator is heard as well.
        gateway.serve(instance.port)
    assert ended(gateway, "client") > 0
    assert gateway.errors().count("the client 127.0.0.9 has") == 1


MALLORY, SHOP = [f"127.0.1.{number}" for number in range(1, 9)], "127.0.2.1"


def test_tenants_instances_have_no_more_together_than_they_leave_free(
    start_gateway: MakeGateway, instance: Instance
) -> None:
    gateway = start_gateway(workers=1)
    gateway.push(
        services={"mallory/any": service(("any-1", 100)), "shop/web": service(("web-1", 100), uses=("web",))},
        endpoints={"shop/web-1": endpoints(instance.port)},
        callers={**dict.fromkeys(MALLORY, "mallory/any"), SHOP: "shop/web"},
    )
    with ExitStack() as held:
        clients = [
            held.enter_context(socket.create_connection(("127.0.0.1", gateway.internal_port), 5, (source, 0)))
            for _ in range(120)
            for source in MALLORY
        ]
        until(lambda: ended(gateway, "tenant") > 0, "some are ended")
        # An eighth of the 1024 is kept, a few are nginx's own, and half of the rest is others'.
        until(lambda: 400 < still_open(clients) <= 448, "the tenant has its half")
        assert gateway.request(host="web.internal", source=SHOP).status == 200
    assert ended(gateway, "client") == 0


def still_open(clients: list[socket.socket]) -> int:
    """Count those that the gateway has not closed."""
    count = 0
    for client in clients:
        client.setblocking(False)
        try:
            count += client.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            count += 1
        except ConnectionError:
            pass
    return count


def test_client_with_many_connections_keeps_them_where_others_have_room(
    start_gateway: MakeGateway, instance: Instance
) -> None:
    gateway = start_gateway(workers=1)
    gateway.serve(instance.port)
    with ExitStack() as held:
        clients = [
            held.enter_context(socket.create_connection(("127.0.0.1", gateway.edge_port), 5)) for _ in range(250)
        ]
        assert p99_s(gateway) < SOON_S
        assert still_open(clients) == 250
    assert ended(gateway, "client") == 0


def test_what_requests_hold_at_instances_counts_as_their_clients(
    start_gateway: MakeGateway, instance: Instance
) -> None:
    gateway = start_gateway(workers=1)
    gateway.serve(instance.port, concurrency=1000)
    with ExitStack() as held:
        clients = [
            held.enter_context(socket.create_connection(("127.0.0.1", gateway.edge_port), 5)) for _ in range(250)
        ]
        for client in clients:
            client.sendall(b"GET /wait HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        # Twice as many connections as the 250 that the client itself has.
        until(lambda: 130 < still_open(clients) < 170, "the client has its half of what is left, instances' included")
