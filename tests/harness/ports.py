"""Ports of every listener that a test starts: free ones for servers, and those of whole stacks."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

# Below what the kernel gives to outgoing connections: one of those, made between the choice and the server's start,
# would hold the port. Above 4000, where the platform's own defaults are.
_LOWEST = 10_000
_EPHEMERAL = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
# Of its own for each process, so that two that run at a time do not try the same ones.
_DRAW = random.SystemRandom()


class StackPorts(NamedTuple):
    """Where a stack of the end-to-end tests listens."""

    edge: int
    orchestrator: int
    tls: int
    h2c: int


def free_ports(count: int) -> list[int]:
    """Give ports of 127.0.0.1 on which a server can be started now."""
    with ExitStack() as taken:
        sockets: list[socket.socket] = []
        while len(sockets) < count:
            try:
                sockets.append(
                    taken.enter_context(socket.create_server(("127.0.0.1", _DRAW.randrange(_LOWEST, _EPHEMERAL))))
                )
            except OSError:
                continue
        return [each.getsockname()[1] for each in sockets]


def free_port() -> int:
    """Give one such port."""
    return free_ports(1)[0]


def stack_ports() -> StackPorts:
    """Give ports for a stack. Drawn, as its name is from them: two runs on one machine must not share a stack."""
    return StackPorts(*free_ports(4))
