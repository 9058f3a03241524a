"""Service: a Knative Service on the host, its revisions, its route and its rollout, as one resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.resource import render_json
from runyard import contracts
from runyard.manifest.model import Gateway
from runyard.plan import ServicePlan
from runyard.secrets import values_of


@dataclass(frozen=True)
class ServicePlatform:
    """What services stand on: the stack, its gateway, its signing key, and the resources that they wait for."""

    stack: str
    gateway: Gateway
    key: pulumi.Input[str]
    parts: Sequence[pulumi.Resource]


class Service(pulumi.CustomResource):
    """A Service; among its inputs are the manifest's facts, so that a preview shows a change of each as one line.

    `url` is where it answers once it is made, `shown` the facts: Pulumi makes outputs of attributes named like inputs.
    """

    url: str
    shown: dict[str, Any]

    def __init__(
        self,
        plan: ServicePlan,
        platform: ServicePlatform,
        secrets: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare `plan` on `platform`; `secrets` maps `name/key` of the tenant's secrets to their values."""
        document = plan.revision.document
        self.url = platform.gateway.url(plan.url_host)
        # The revision tells of what the manifest does not: a secret's new value, another address of the gateway.
        self.shown = {**plan.facts, "network": document.network, "revision": document.identity}
        props: dict[str, pulumi.Input[str]] = {
            "stack": platform.stack,
            "tenant": plan.tenant,
            "service": plan.name,
            "facts": render_json(self.shown),
            # What is as by default is left out: a newer default of ours is no change of a service.
            "document": contracts.encode_differing(document),
            "rollout": contracts.encode_differing(plan.rollout),
            "route": contracts.encode_differing(plan.route),
            "history": render_json([each.identity for each in (plan.revision, *plan.kept)]),
            "key": platform.key,
        }
        if values := values_of(document, secrets or {}):
            props["values"] = pulumi.Output.secret(render_json(values))
        # The facts say by the manifest's words what changes; the document would say it again by places in lists.
        below = pulumi.ResourceOptions(depends_on=[*platform.parts], hide_diffs=["document"])
        super().__init__(
            "runyard:index:Service",
            f"{plan.tenant}.{plan.name}",
            props,
            pulumi.ResourceOptions.merge(below, opts) if opts else below,
        )
