"""Resources of Runyard's own provider (folder `provider/`), as a Pulumi program declares them.

Their inputs are texts, what has parts as canonical JSON: Pulumi shows such a text part by part when it changes, and
takes a tenth of the time for it that it takes for nested values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi

_PACKAGE = "runyard:index:"


def render_json(value: Any) -> str:
    """Write plain data as canonical JSON: keys sorted, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


class SigningKey(pulumi.CustomResource):
    """The pair of keys with which a stack's revisions are signed. Outputs: `public`, and `private`, a secret."""

    public: pulumi.Output[str]
    private: pulumi.Output[str]

    def __init__(self, name: str, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the key of a stack."""
        super().__init__(f"{_PACKAGE}SigningKey", name, {"stack": stack, "public": None, "private": None}, opts)


class GatewayConfiguration(pulumi.CustomResource):
    """The gateway's configuration for the container of `image`; `places` say where in a manifest a field was said."""

    def __init__(
        self,
        name: str,
        stack: str,
        image: str,
        values: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the configuration of a stack's gateway; `values` are `configuration`, `digest` and `places`."""
        super().__init__(f"{_PACKAGE}GatewayConfiguration", name, {"stack": stack, "image": image, **values}, opts)


class FirewallRules(pulumi.CustomResource):
    """The rules of a stack in its host's packet filter, tried before the part of `image` keeps them in force."""

    def __init__(
        self, name: str, stack: str, image: str, rules: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the rules of a stack, as nft reads them."""
        super().__init__(f"{_PACKAGE}FirewallRules", name, {"stack": stack, "image": image, "rules": rules}, opts)


class Certificate(pulumi.CustomResource):
    """One certificate of the stack's configuration; what it holds is secret in the state and in previews."""

    def __init__(
        self, name: str, stack: str, pair: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the certificate `name`, of `pair`'s chain and key."""
        secret = {each: pulumi.Output.secret(pair[each]) for each in ("chain", "key")}
        super().__init__(
            f"{_PACKAGE}Certificate", f"certificate.{name}", {"stack": stack, "name": name, **secret}, opts
        )


class Receivers(pulumi.CustomResource):
    """Whom the stack's Alertmanager tells; the configuration, which may hold tokens, is secret."""

    def __init__(
        self,
        stack: str,
        shown: Mapping[str, str],
        configuration: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the receivers of a stack: what is `shown` of each by name, and Alertmanager's configuration."""
        props: dict[str, pulumi.Input[str]] = {
            "stack": stack,
            "receivers": render_json(shown),
            "configuration": pulumi.Output.secret(configuration),
        }
        super().__init__(f"{_PACKAGE}Receivers", "receivers", props, opts)


class Claim(pulumi.CustomResource):
    """What a stack claims of its host, as JSON, for the orchestrator to keep."""

    def __init__(self, name: str, stack: str, claim: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the claim of a stack."""
        super().__init__(f"{_PACKAGE}Claim", name, {"stack": stack, "claim": claim}, opts)


class Sweep(pulumi.CustomResource):
    """Nothing until it is deleted: then it removes every instance that is left, and gives back the stack's claims."""

    def __init__(self, name: str, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the sweep of a stack."""
        super().__init__(f"{_PACKAGE}Sweep", name, {"stack": stack}, opts)
