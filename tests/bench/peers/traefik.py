"""Traefik as a peer; its instances change through the file provider."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.peers.peer import CONNECT_S, IDLE, Peer


class Traefik(Peer):
    """Traefik on one core, with no log."""

    name = "Traefik"
    needs = "traefik"
    change = "file provider, throttled to 0.1 s"
    health = (
        "check every 1 s; passive check, 5 failures in 10 s; 2 retries on network errors (not POST once it was sent)"
    )

    def prepare(self) -> Sequence[str | Path]:
        """Write both its files; JSON is YAML too."""
        dynamic = self.directory / "dynamic"
        dynamic.mkdir(exist_ok=True)
        static = {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "log": {"level": "ERROR"},
            "entryPoints": {
                # Its own end of a client's connection would count as failures of a change.
                "edge": {"address": f"127.0.0.1:{self.port}", "transport": {"respondingTimeouts": {"idleTimeout": 300}}}
            },
            "providers": {
                "providersThrottleDuration": "100ms",
                "file": {"directory": str(dynamic), "watch": True},
            },
        }
        self._write()
        return [self.program, f"--configFile={self.replace('traefik.yml', json.dumps(static))}"]

    def route(self, instances: Sequence[int]) -> None:
        """Write the file that it watches."""
        self.instances = list(instances)
        self._write()

    def _write(self) -> None:
        balancer: dict[str, Any] = {
            "servers": [{"url": f"http://127.0.0.1:{port}"} for port in self.instances],
            "healthCheck": {"path": "/", "interval": "1s", "unhealthyInterval": "1s", "timeout": "1s"},
            "passiveHealthCheck": {"failureWindow": "10s", "maxFailedAttempts": 5},
            "serversTransport": "instances",
        }
        transport = {
            "maxIdleConnsPerHost": IDLE,
            "forwardingTimeouts": {"dialTimeout": f"{CONNECT_S}s", "responseHeaderTimeout": f"{self.answer_s}s"},
        }
        http = {
            "routers": {
                "hello": {
                    "rule": "PathPrefix(`/`)",
                    "entryPoints": ["edge"],
                    "service": "hello",
                    "middlewares": ["again"],
                }
            },
            "middlewares": {"again": {"retry": {"attempts": 3}}},
            "services": {"hello": {"loadBalancer": balancer}},
            "serversTransports": {"instances": transport},
        }
        self.replace("dynamic/instances.yml", json.dumps({"http": http}))
