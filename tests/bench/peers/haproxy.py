"""HAProxy as a peer; its instances change through the runtime API, without a reload."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers.peer import CONNECT_S, IDLE, Peer

# Places for instances: the runtime API gives them addresses.
PLACES = 6
CONFIGURATION = """
global
    nbthread 1
    maxconn 8192
    stats socket {directory}/runtime.sock mode 600 level admin
defaults
    mode http
    timeout connect {connect_s}s
    timeout client 300s
    timeout server {answer_s}s
    timeout check 1s
    option redispatch 1
    retries 2
    retry-on conn-failure empty-response response-timeout 500
frontend edge
    bind 127.0.0.1:{port} backlog 4096
    default_backend instances
backend instances
    balance roundrobin
    option httpchk GET /
    http-reuse always
    http-request disable-l7-retry if METH_POST
    default-server check inter 1s fall 2 rise 2 observe layer7 error-limit 5 on-error mark-down pool-max-conn {idle}
{servers}
"""


class Haproxy(Peer):
    """Debian's HAProxy with one thread and no log."""

    name = "HAProxy"
    needs = "haproxy"
    change = "runtime API"
    health = (
        "check every 1 s, fall 2, rise 2; observe layer7, 5 errors; 2 retries on a refused connection, "
        "and but for POST on an empty answer, a timeout and 500"
    )

    def prepare(self) -> Sequence[str | Path]:
        """Write haproxy.cfg, with a disabled server in each place that no instance has."""
        self.places: list[int | None] = [*self.instances, *[None] * (PLACES - len(self.instances))]
        lines = [
            f"    server s{place} 127.0.0.1:{port or 1}{'' if port else ' disabled'}"
            for place, port in enumerate(self.places)
        ]
        text = CONFIGURATION.format(
            directory=self.directory,
            port=self.port,
            connect_s=CONNECT_S,
            answer_s=self.answer_s,
            idle=IDLE,
            servers="\n".join(lines),
        )
        return [self.program, "-db", "-f", self.replace("haproxy.cfg", text)]

    def route(self, instances: Sequence[int]) -> None:
        """Give new instances the free places first, and only then take the old ones' away."""
        for port in instances:
            if port not in self.places:
                free = self.places.index(None)
                self.places[free] = port
                self._say(f"set server instances/s{free} addr 127.0.0.1 port {port}")
                self._say(f"set server instances/s{free} health up")
                self._say(f"set server instances/s{free} state ready")
        for place, port in enumerate(self.places):
            if port is not None and port not in instances:
                self.places[place] = None
                self._say(f"set server instances/s{place} state maint")

    def _say(self, command: str) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.directory / "runtime.sock"))
            client.sendall(f"{command}\n".encode())
            answer = b"".join(iter(lambda: client.recv(4096), b"")).decode().strip()
        # It tells of an address that changed or need not; anything else that it says is a refusal.
        if answer and "changed" not in answer and "no need" not in answer:
            raise RuntimeError(f"HAProxy: {command}: {answer}")
