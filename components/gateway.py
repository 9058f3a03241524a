"""Gateway: nginx on the host's network, with a volume for its routes and its admin socket."""

from __future__ import annotations

from typing import Any

import pulumi

from components.docker import DockerResource
from components.network import Network
from components.part import PartArgs, describe_part, part_container, part_volume
from components.resource import GatewayConfiguration, render_json
from runyard import contracts, names
from runyard.gateway import GatewayConfig, Listener, digest
from runyard.images import image_reference
from runyard.manifest.model import Platform

# Enough for a snapshot of some thousand services, its shared memory and a worker for each of eight cores.
_MEMORY_MIB = 640
# Bodies that wait for an instance lie in /tmp, which counts against the memory above, beside little else.
_TMP_MIB = GatewayConfig().bodies_mib + 1
# What is kept beyond the cache's size until nginx looks, every ten seconds; what finds no room is not kept.
_CACHE_MIB = GatewayConfig().cache_mib * 3 // 2


class Gateway(pulumi.ComponentResource):
    """The gateway of a stack.

    Outputs: `container_name`; `volume` is what the orchestrator shares to reach the admin socket.
    """

    container_name: pulumi.Output[str]
    facts: dict[str, Any]
    volume: DockerResource
    container: DockerResource

    def __init__(self, stack: str, platform: Platform, inner: Network, inner_address: str) -> None:
        """Declare the gateway; `inner_address` is the host's address on `inner`, the platform's bridge."""
        config = plan_configuration(platform, inner_address)
        image = image_reference("gateway")
        args = _container_args(stack, image)
        self.facts = describe_part(args) | _describe_platform(platform) | {"configuration": _describe(config)}
        super().__init__("runyard:gateway:Gateway", "gateway", self.facts)
        self.volume = part_volume("gateway.volume", stack, "gateway", self)
        # After the bridge, whose address the test binds, and before the container, which starts with what was
        # tested with its image.
        configuration = GatewayConfiguration(
            "gateway.configuration",
            stack,
            image,
            {
                "configuration": contracts.encode(config),
                "digest": digest(config),
                "places": render_json(_places(platform, inner_address)),
            },
            pulumi.ResourceOptions(parent=self, depends_on=[self.volume, inner]),
        )
        options = pulumi.ResourceOptions(parent=self, depends_on=[self.volume, configuration])
        self.container = part_container(stack, args, options)
        self.container_name = self.container.name
        self.register_outputs({"container_name": self.container_name})


# The keys of the Platform's `spec.gateway` that say a field of the configuration; the first one that is given counts.
_Said = tuple[str, ...]
_KEYS: dict[str, _Said] = {
    "max_body_bytes": ("maxBodySize",),
    "connect_timeout_ms": ("connectTimeoutSeconds",),
    "hold_timeout_ms": ("holdTimeoutSeconds",),
    "security_headers": ("securityHeaders",),
    "https_port": ("tls",),
    "hsts_s": ("tls",),
    "acme": ("tls",),
    "compression": ("compression",),
}


def _container_args(stack: str, image: str) -> PartArgs:
    return PartArgs(
        part="gateway",
        role=names.ROLE_GATEWAY,
        memory_mib=_MEMORY_MIB,
        tmp_mib=_TMP_MIB,
        memory_mounts={f"{GatewayConfig().temporary_directory}/{names.GATEWAY_CACHE}": _CACHE_MIB},
        capabilities=names.GATEWAY_CAPABILITIES,
        volumes={names.platform_volume(stack, "gateway"): names.GATEWAY_DIRECTORY},
        environment={"RUNYARD_CONFIGURATION": names.gateway_configuration(image)},
    )


def _listeners(platform: Platform, inner_address: str) -> list[tuple[Listener, _Said]]:
    said = platform.gateway
    edge: list[tuple[Listener, _Said]] = [(Listener("edge", f"{said.address}:{said.port}"), ("address", "port"))]
    if said.h2c_port is not None:
        edge.append((Listener("edge", f"{said.address}:{said.h2c_port}", http2=True), ("h2cPort",)))
    if said.tls.on:
        edge.append((Listener("edge", f"{said.address}:{said.tls.port}", tls=True), ("tls",)))
    return [
        *edge,
        # What instances call as `http://<service>.internal`, and their gRPC clients as `<service>.internal:81`.
        (Listener("internal", f"{inner_address}:{names.INTERNAL_PORT}"), ()),
        (Listener("internal", f"{inner_address}:{names.INTERNAL_H2C_PORT}", http2=True), ()),
    ]


def plan_configuration(platform: Platform, inner_address: str) -> GatewayConfig:
    """Plan what the gateway of a Platform is told; `inner_address` is the host's on the platform's bridge."""
    said, tls = platform.gateway, platform.gateway.tls
    return GatewayConfig(
        listeners=tuple(listener for listener, _ in _listeners(platform, inner_address)),
        max_body_bytes=said.max_body_bytes,
        connect_timeout_ms=said.connect_timeout_s * 1000,
        hold_timeout_ms=said.hold_timeout_s * 1000,
        security_headers=said.security_headers,
        https_port=tls.port if tls.on and tls.redirect else None,
        hsts_s=tls.hsts_s if tls.on else 0,
        acme=tls.mode == "acme",
        compression=said.compression,
    )


def _describe_platform(platform: Platform) -> dict[str, Any]:
    """Describe where clients find the gateway; what is off is left out, so that it comes and goes as a key."""
    said = platform.gateway
    facts = {
        "address": said.address,
        "defaultBackend": said.default_backend,
        "domain": platform.domain,
        "h2cPort": said.h2c_port,
        "port": said.port,
        "tls": {"mode": said.tls.mode, "port": said.tls.port} if said.tls.on else None,
    }
    return {key: value for key, value in facts.items() if value}


def _describe(config: GatewayConfig) -> dict[str, Any]:
    """Describe what a Platform can change of the configuration; the digest tells of a new template."""
    shown = {field: getattr(config, field) for field in _KEYS}
    return {**shown, "digest": digest(config), "listeners": [each.address for each in config.listeners]}


def _places(platform: Platform, inner_address: str) -> dict[str, str]:
    """Say where in the manifest the fields of the configuration were said, as far as they were."""
    listeners = _listeners(platform, inner_address)
    keys = {**_KEYS, **{f"listeners[{index}]": said for index, (_, said) in enumerate(listeners)}}
    found = {field: next((key for key in said if key in platform.places), None) for field, said in keys.items()}
    return {field: f"{platform.places[key]}: spec.gateway.{key}" for field, key in found.items() if key is not None}
