"""Certificate: a chain and its key from the stack's secrets, put in force at the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import dynamic

from components import request
from components.provider import RequestProvider
from runyard.contracts import CertificateRequest
from runyard.host import Orchestrator


class CertificateProvider(RequestProvider):
    """Applies and removes a certificate; open connections go on with the one they began with."""

    def name(self, props: dict[str, Any]) -> str:
        """Give the certificate's name."""
        return str(props["name"])

    def apply(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Put the certificate in force."""
        orchestrator.apply_certificate(request.message(CertificateRequest, props))

    def remove(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Take the certificate out of force."""
        orchestrator.remove_certificate(props["name"])


class Certificate(dynamic.Resource, module="runyard", name="Certificate"):
    """One certificate of the stack's configuration; what it holds is secret in the state and in previews."""

    def __init__(
        self, name: str, stack: str, pair: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the certificate `name`, of `pair`'s chain and key."""
        message = request.inputs(CertificateRequest(name, pair["chain"], pair["key"]))
        secret = {each: pulumi.Output.secret(message.pop(each)) for each in ("chain", "key")}
        super().__init__(CertificateProvider(), f"certificate.{name}", {"stack": stack, **message, **secret}, opts)
