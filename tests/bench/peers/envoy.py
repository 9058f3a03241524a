"""Envoy as a peer; its instances change through file-based endpoint discovery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.peers.peer import CONNECT_S, Peer

PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def typed(name: str, **fields: Any) -> dict[str, Any]:
    """Give a message the type that Envoy reads it by."""
    return {"@type": f"type.googleapis.com/{name}", **fields}


class Envoy(Peer):
    """Envoy with one worker and no log."""

    name = "Envoy"
    needs = "envoy"
    change = "endpoint discovery from a file"
    health = (
        "check every 1 s, 2 failures; outlier detection, 5 consecutive 5xx; 2 retries on a refused connection, "
        "and but for POST on a reset, a timeout and 5xx"
    )

    def prepare(self) -> Sequence[str | Path]:
        """Write the bootstrap and the file of its instances."""
        self._write()
        text = json.dumps({"static_resources": {"listeners": [self._listener()], "clusters": [self._cluster()]}})
        node = ["--service-node", "bench", "--service-cluster", "bench"]
        bootstrap = self.replace("envoy.json", text)
        # No hot restart: its shared memory would meet that of another Envoy on this machine.
        return [
            *(self.program, "-c", bootstrap, "--concurrency", "1", "--disable-hot-restart", "-l", "error"),
            *node,
        ]

    def route(self, instances: Sequence[int]) -> None:
        """Rename a new file into its place."""
        self.instances = list(instances)
        self._write()

    def _listener(self) -> dict[str, Any]:
        def route(retry_on: str, **match: Any) -> dict[str, Any]:
            policy = {
                "retry_on": retry_on,
                "num_retries": 2,
                # A retry goes to another instance than the one that failed.
                "retry_host_predicate": [
                    {
                        "name": "previous",
                        "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
                    }
                ],
                "host_selection_retry_max_attempts": 3,
                "per_try_timeout": f"{self.answer_s}s",
            }
            action = {"cluster": "instances", "timeout": f"{3 * self.answer_s}s", "retry_policy": policy}
            return {"match": {"prefix": "/", **match}, "route": action}

        post = {"headers": [{"name": ":method", "string_match": {"exact": "POST"}}]}
        hosts = {
            "name": "all",
            "domains": ["*"],
            "routes": [route("connect-failure", **post), route("connect-failure,reset,5xx")],
        }
        manager = typed(
            MANAGER,
            stat_prefix="edge",
            route_config={"virtual_hosts": [hosts]},
            http_filters=[{"name": "router", "typed_config": typed(ROUTER)}],
        )
        return {
            "name": "edge",
            "address": self._address(self.port),
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }

    def _cluster(self) -> dict[str, Any]:
        source = {
            "path_config_source": {
                "path": str(self.directory / "endpoints" / "instances.json"),
                "watched_directory": {"path": str(self.directory / "endpoints")},
            },
            "resource_api_version": "V3",
        }
        check = {
            "timeout": "1s",
            "interval": "1s",
            "unhealthy_threshold": 2,
            "healthy_threshold": 1,
            "http_health_check": {"path": "/"},
        }
        return {
            "name": "instances",
            "type": "EDS",
            "connect_timeout": f"{CONNECT_S}s",
            "eds_cluster_config": {"eds_config": source},
            "health_checks": [check],
            # Without it, what discovery takes away keeps its traffic until a check fails.
            "ignore_health_on_host_removal": True,
            "outlier_detection": {"consecutive_5xx": 5, "interval": "1s", "base_ejection_time": "10s"},
            "typed_extension_protocol_options": {
                PROTOCOLS: typed(PROTOCOLS, explicit_http_config={"http_protocol_options": {}})
            },
            "circuit_breakers": {"thresholds": [{"max_connections": 4096, "max_pending_requests": 4096}]},
        }

    def _write(self) -> None:
        (self.directory / "endpoints").mkdir(exist_ok=True)
        resource = typed(
            "envoy.config.endpoint.v3.ClusterLoadAssignment",
            cluster_name="instances",
            endpoints=[{"lb_endpoints": [{"endpoint": {"address": self._address(port)}} for port in self.instances]}],
        )
        document = {"version_info": str(self.instances), "resources": [resource]}
        self.replace("endpoints/instances.json", json.dumps(document))

    def _address(self, port: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
