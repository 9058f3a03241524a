"""Caddy as a peer; its instances change through the admin API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.bench.peers.peer import CONNECT_S, IDLE, Peer
from tests.harness.ports import free_ports


class Caddy(Peer):
    """Caddy on one core, with no log."""

    name = "Caddy"
    needs = "caddy"
    change = "admin API"
    health = (
        "check every 1 s; passive, 1 failure in 10 s, 5xx counts; tries for 5 s (all on a refused connection, "
        "else GET alone)"
    )

    def prepare(self) -> Sequence[str | Path]:
        """Write its configuration."""
        (self.admin_port,) = free_ports(1)
        proxy: dict[str, Any] = {
            "@id": "proxy",
            "handler": "reverse_proxy",
            "upstreams": self._upstreams(),
            "load_balancing": {"try_duration": "5s", "try_interval": "50ms"},
            "health_checks": {
                "active": {"uri": "/", "interval": "1s", "timeout": "1s"},
                "passive": {"fail_duration": "10s", "max_fails": 1, "unhealthy_status": [500]},
            },
            "transport": {
                "protocol": "http",
                "dial_timeout": f"{CONNECT_S}s",
                "response_header_timeout": f"{self.answer_s}s",
                "keep_alive": {"max_idle_conns_per_host": IDLE},
            },
        }
        server = {
            "listen": [f"127.0.0.1:{self.port}"],
            "automatic_https": {"disable": True},
            "routes": [{"handle": [proxy]}],
        }
        configuration = {
            "admin": {"listen": f"127.0.0.1:{self.admin_port}", "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "FATAL"}}},
            "storage": {"module": "file_system", "root": str(self.directory / "storage")},
            "apps": {"http": {"servers": {"edge": server}}},
        }
        return [self.program, "run", "--config", self.replace("caddy.json", json.dumps(configuration))]

    def route(self, instances: Sequence[int]) -> None:
        """Replace the upstreams of the proxy."""
        self.instances = list(instances)
        connection = HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("PATCH", "/id/proxy/upstreams", json.dumps(self._upstreams()), headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"Caddy: admin API: {answer.status} {answer.read().decode()}")
        finally:
            connection.close()

    def _upstreams(self) -> list[dict[str, str]]:
        return [{"dial": f"127.0.0.1:{port}"} for port in self.instances]
