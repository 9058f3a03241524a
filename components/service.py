"""Service: a Knative Service on the host, its latest revision, its route and its rollout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.revision import EarlierRevision, Revision, Secrets
from components.rollout import Rollout
from components.route import Route
from runyard.manifest.model import Gateway
from runyard.plan import ServicePlan


@dataclass(frozen=True)
class ServicePlatform:
    """What services stand on: the stack, its gateway, the networks, and the parts a route waits for."""

    stack: str
    gateway: Gateway
    networks: Sequence[pulumi.Resource]
    parts: Sequence[pulumi.Resource]


class Service(pulumi.ComponentResource):
    """A Service; its inputs are the manifest's facts, so that a preview shows a change of each as one line.

    Outputs: `url`, `revision_name`.
    """

    url: pulumi.Output[str]
    revision_name: pulumi.Output[str]
    rollout: Rollout
    facts: dict[str, Any]

    def __init__(
        self,
        plan: ServicePlan,
        platform: ServicePlatform,
        secrets: pulumi.Output[Secrets] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare all of `plan` on `platform`."""
        name = f"{plan.tenant}.{plan.name}"
        # The revision tells of what the manifest does not: a secret's new value, another address of the gateway.
        self.facts = {**plan.facts, "revision": plan.revision.identity}
        super().__init__("runyard:service:Service", name, self.facts, opts)
        below = pulumi.ResourceOptions(parent=self, depends_on=[*platform.networks])
        revision = Revision(plan.revision, secrets, opts=below)
        earlier = [EarlierRevision(plan.tenant, kept, opts=below) for kept in plan.kept]
        templates = [*revision.templates, *(each for one in earlier for each in one.templates)]
        self.rollout = Rollout(
            f"{name}.rollout",
            platform.stack,
            plan.rollout,
            (plan.revision, *plan.kept),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*templates, *platform.parts]),
        )
        # Last, so that a rollout which fails leaves what ran before as it was: its hosts, times and limits too.
        Route(
            f"{name}.route",
            platform.stack,
            plan.route,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.rollout]),
        )
        self.url = pulumi.Output.from_input(platform.gateway.url(plan.url_host))
        self.revision_name = revision.revision_name
        self.register_outputs({"url": self.url, "revision_name": self.revision_name})
