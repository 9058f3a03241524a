"""Gateway: nginx on the host's network, with a volume for its routes and its admin socket."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_docker as docker

from components.part import PartArgs, describe_part, part_container, part_volume
from runyard import names
from runyard.gateway import GatewayConfig, Listener, render
from runyard.manifest.model import Platform

# Enough for a snapshot of some thousand services, its shared memory and a worker for each of eight cores.
_MEMORY_MIB = 512
# Bodies that wait for an instance lie here; it counts against the memory above.
_TMP_MIB = 256


class Gateway(pulumi.ComponentResource):
    """The gateway of a stack.

    Outputs: `container_name`; `volume` is what the orchestrator shares to reach the admin socket.
    """

    container_name: pulumi.Output[str]
    facts: dict[str, Any]
    volume: docker.Volume
    container: docker.Container

    def __init__(
        self, stack: str, platform: Platform, inner_address: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the gateway; `inner_address` is the host's address on the platform's bridge."""
        args = _container_args(stack, platform, inner_address)
        self.facts = describe_part(args) | {
            "address": platform.gateway.address,
            "domain": platform.domain,
            "port": platform.gateway.port,
            "tls": f"port {tls.port}, {tls.mode}" if (tls := platform.gateway.tls).on else "none",
        }
        super().__init__("runyard:gateway:Gateway", "gateway", self.facts, opts)
        self.volume = part_volume(stack, "gateway", self)
        options = pulumi.ResourceOptions(parent=self, depends_on=[self.volume])
        self.container = part_container(stack, args, options)
        self.container_name = self.container.name
        self.register_outputs({"container_name": self.container_name})


def _container_args(stack: str, platform: Platform, inner_address: str) -> PartArgs:
    tls = platform.gateway.tls
    config = GatewayConfig(
        listeners=_listeners(platform, inner_address),
        max_body_bytes=platform.gateway.max_body_bytes,
        connect_timeout_ms=platform.gateway.connect_timeout_s * 1000,
        hold_timeout_ms=platform.gateway.hold_timeout_s * 1000,
        security_headers=platform.gateway.security_headers,
        https_port=tls.port if tls.on and tls.redirect else None,
        hsts_s=tls.hsts_s if tls.on else 0,
        acme=tls.mode == "acme",
    )
    return PartArgs(
        part="gateway",
        role=names.ROLE_GATEWAY,
        memory_mib=_MEMORY_MIB,
        tmp_mib=_TMP_MIB,
        # Ports 80 and 81 on the inner address, and workers that are not root. Spelled as the engine gives them
        # back, or a refresh would make every preview show a change.
        capabilities=("CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"),
        volumes={names.platform_volume(stack, "gateway"): names.GATEWAY_DIRECTORY},
        environment={"RUNYARD_NGINX_CONF": render(config)},
    )


def _listeners(platform: Platform, inner_address: str) -> tuple[Listener, ...]:
    edge = [Listener("edge", f"{platform.gateway.address}:{platform.gateway.port}")]
    if platform.gateway.h2c_port is not None:
        edge.append(Listener("edge", f"{platform.gateway.address}:{platform.gateway.h2c_port}", http2=True))
    if platform.gateway.tls.on:
        edge.append(Listener("edge", f"{platform.gateway.address}:{platform.gateway.tls.port}", tls=True))
    return (
        *edge,
        # What instances call as `http://<service>.internal`, and their gRPC clients as `<service>.internal:81`.
        Listener("internal", f"{inner_address}:{names.INTERNAL_PORT}"),
        Listener("internal", f"{inner_address}:{names.INTERNAL_H2C_PORT}", http2=True),
    )
