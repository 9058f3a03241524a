"""Orchestrator: the only part with the engine's socket; it listens on the host's loopback for readers alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi

from components.docker import DockerResource
from components.gateway import Gateway
from components.part import PartArgs, describe_part, part_container, part_volume
from components.resource import SigningKey, Sweep
from runyard import names
from runyard.contracts import TlsSettings, encode
from runyard.manifest.model import Platform

_MEMORY_MIB = 512
_ENGINE_SOCKET = "/var/run/docker.sock"


class Orchestrator(pulumi.ComponentResource):
    """The orchestrator of a stack, and the key that it knows the stack's revisions by. Output: `container_name`."""

    container_name: pulumi.Output[str]
    facts: dict[str, Any]
    key: SigningKey
    container: DockerResource

    def __init__(
        self, stack: str, platform: Platform, gateway: Gateway, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the orchestrator beside its gateway."""
        args = PartArgs(
            part="orchestrator",
            role=names.ROLE_ORCHESTRATOR,
            memory_mib=_MEMORY_MIB,
            environment={
                "RUNYARD_STACK": stack,
                "RUNYARD_HTTP_ADDRESS": f"127.0.0.1:{platform.orchestrator_port}",
                **_tls_environment(platform),
            },
            volumes={
                names.platform_volume(stack, "orchestrator"): names.ORCHESTRATOR_DIRECTORY,
                names.platform_volume(stack, "gateway"): names.GATEWAY_DIRECTORY,
                # From which its instances' secrets are launched.
                names.platform_volume(stack, "launcher"): names.LAUNCHER_DIRECTORY,
            },
            binds={_ENGINE_SOCKET: _ENGINE_SOCKET},
        )
        self.facts = describe_part(args)
        super().__init__("runyard:orchestrator:Orchestrator", "orchestrator", self.facts, opts)
        self.key = SigningKey("key", stack, pulumi.ResourceOptions(parent=self))
        volume = part_volume("orchestrator.volume", stack, "orchestrator", self)
        launcher = part_volume("orchestrator.launcher", stack, "launcher", self)
        # Instances have the launcher's volume too, so it goes after the last of them.
        sweep = Sweep("orchestrator.sweep", stack, pulumi.ResourceOptions(parent=self, depends_on=[launcher]))
        options = pulumi.ResourceOptions(parent=self, depends_on=[sweep, volume, gateway.volume])
        self.container = part_container(stack, args, options, {"RUNYARD_PUBLIC_KEY": self.key.public})
        self.container_name = self.container.name
        self.register_outputs({"container_name": self.container_name})


def _tls_environment(platform: Platform) -> dict[str, str]:
    """Say where certificates come from; nothing of it is secret, and without TLS there is nothing to say."""
    tls = platform.gateway.tls
    if not tls.on:
        return {}
    settings = TlsSettings(mode=tls.mode, domain=platform.domain)
    if tls.acme is not None:
        settings = replace(
            settings,
            acme_directory=tls.acme.directory,
            acme_contacts=tls.acme.contacts,
            acme_ca=tls.acme.ca_bundle,
        )
    return {"RUNYARD_TLS": encode(settings)}
