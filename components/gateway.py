"""Gateway: what its nginx is told, and the resource that tests it, beside the gateway's container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.beside import Around, Beside, Made
from components.resource import GatewayConfiguration, render_json
from runyard import contracts, names
from runyard.gateway import GatewayConfig, Listener, ListenerKind, digest
from runyard.manifest.model import Platform
from runyard.plan import PartPlan
from runyard.plan.listeners import ListenerPlan


class Configuration(Beside):
    """The configuration of the gateway, tested with its image where it listens before the container starts with it."""

    def tell(self, image: str) -> Mapping[str, str]:
        """Name the file with which the container starts."""
        return {"RUNYARD_CONFIGURATION": names.gateway_configuration(image)}

    def describe(self) -> Mapping[str, Any]:
        """Describe where clients find the gateway, and what a Platform can change of the configuration."""
        return _describe_platform(self.ground.plan.platform) | {"configuration": _describe(self._planned())}

    def make(self, around: Around) -> Made:
        """Declare the configuration, after the bridge, whose address the test binds."""
        plan, config = self.ground.plan, self._planned()
        texts = {
            "configuration": contracts.encode(config),
            "digest": digest(config),
            "places": render_json(_places(plan.platform, self.part)),
        }
        name = f"{self.part.part.name}.configuration"
        options = around.options(*around.volumes, self.ground.networks[plan.platform_network.name])
        return Made(GatewayConfiguration(name, plan.stack, around.image, texts, options))

    def _planned(self) -> GatewayConfig:
        return plan_configuration(self.ground.plan.platform, self.part)


# The keys of the Platform's `spec.gateway` that say a field of the configuration; the first one that is given counts.
_KEYS: dict[str, tuple[str, ...]] = {
    "max_body_bytes": ("maxBodySize",),
    "connect_timeout_ms": ("connectTimeoutSeconds",),
    "hold_timeout_ms": ("holdTimeoutSeconds",),
    "security_headers": ("securityHeaders",),
    "https_port": ("tls",),
    "hsts_s": ("tls",),
    "acme": ("tls",),
    "compression": ("compression",),
    "caller_identity": ("callerIdentity",),
}


def plan_configuration(platform: Platform, gateway: PartPlan) -> GatewayConfig:
    """Plan what the gateway of a Platform is told: where it listens, and what it may use of its container's memory."""
    said, tls = platform.gateway, platform.gateway.tls
    return GatewayConfig(
        listeners=tuple(_listener(each) for each in gateway.listeners),
        max_body_bytes=said.max_body_bytes,
        connect_timeout_ms=said.connect_timeout_s * 1000,
        hold_timeout_ms=said.hold_timeout_s * 1000,
        security_headers=said.security_headers,
        https_port=tls.port if tls.on and tls.redirect else None,
        hsts_s=tls.hsts_s if tls.on else 0,
        acme=tls.mode == "acme",
        compression=said.compression,
        caller_identity=said.caller_identity,
        # A mebibyte is left for what else lies in /tmp.
        bodies_mib=gateway.part.tmp_mib - 1,
        # nginx looks every ten seconds whether the cache is over its size.
        cache_mib=gateway.part.memory_mounts[names.GATEWAY_CACHE_DIRECTORY] * 2 // 3,
    )


def _listener(plan: ListenerPlan) -> Listener:
    # What only shows its status is no listener of nginx's.
    kind: ListenerKind = "internal" if plan.kind == "internal" else "edge"
    return Listener(kind, plan.address, http2=plan.http2, tls=plan.tls)


def _describe_platform(platform: Platform) -> dict[str, Any]:
    """Describe where clients find the gateway; what is off is left out, so that it comes and goes as a key."""
    said = platform.gateway
    facts = {
        "address": said.address,
        "callerIdentity": said.caller_identity,
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


def _places(platform: Platform, gateway: PartPlan) -> dict[str, str]:
    """Say where in the manifest the fields of the configuration were said, as far as they were."""
    listeners = {f"listeners[{index}]": each.said for index, each in enumerate(gateway.listeners)}
    found = {
        field: next((key for key in said if key in platform.places), None)
        for field, said in {**_KEYS, **listeners}.items()
    }
    return {field: f"{platform.places[key]}: spec.gateway.{key}" for field, key in found.items() if key is not None}
