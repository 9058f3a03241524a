"""Certificate: a chain and its key from the stack's secrets, put in force at the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import dynamic

from components import request
from runyard.contracts import CertificateRequest


class CertificateProvider(dynamic.ResourceProvider):
    """Applies and removes a certificate through the stack's orchestrator; every operation can be repeated."""

    # It holds no state, so there is nothing to encrypt; its inputs are secrets of their own.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Put the certificate in force."""
        self._apply(props)
        return dynamic.CreateResult(f"{props['stack']}/{props['name']}", outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Replace the certificate; open connections go on with the one they began with."""
        self._apply(news)
        return dynamic.UpdateResult(outs=news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Take the certificate out of force; without an orchestrator nothing is, and its volume goes with the stack."""
        with request.orchestrator(props["stack"]) as orchestrator:
            if orchestrator.running():
                orchestrator.remove_certificate(props["name"])

    def _apply(self, props: dict[str, Any]) -> None:
        with request.orchestrator(props["stack"]) as orchestrator:
            orchestrator.apply_certificate(request.message(CertificateRequest, props))


class Certificate(dynamic.Resource, module="runyard", name="Certificate"):
    """One certificate of the stack's configuration; what it holds is secret in the state and in previews."""

    def __init__(
        self, name: str, stack: str, pair: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the certificate `name`, of `pair`'s chain and key."""
        message = request.inputs(CertificateRequest(name, pair["chain"], pair["key"]))
        secret = {each: pulumi.Output.secret(message.pop(each)) for each in ("chain", "key")}
        super().__init__(CertificateProvider(), f"certificate.{name}", {"stack": stack, **message, **secret}, opts)
