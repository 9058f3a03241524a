from __future__ import annotations

import socket
from contextlib import ExitStack

from tests.harness.ports import free_ports, stack_ports


def test_free_ports_are_many_and_free() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    with ExitStack() as servers:
        for port in ports:
            servers.enter_context(socket.create_server(("127.0.0.1", port)))


def test_stacks_share_no_port() -> None:
    stacks = [stack_ports() for _ in range(3)]
    assert len({port for each in stacks for port in each}) == sum(map(len, stacks))
