"""Firewall: the rules that its part keeps in the host's packet filter, and the resource that tries and removes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.beside import Around, Beside, Made
from components.resource import FirewallRules
from runyard.plan.firewall import guarded_subnets, render_rules


class Rules(Beside):
    """The rules, tried before the part starts with them, and removed after it is gone."""

    def tell(self, image: str) -> Mapping[str, str]:
        """Give the part the rules that it keeps."""
        return {"RUNYARD_RULES": render_rules(self.ground.plan)}

    def describe(self) -> Mapping[str, Any]:
        """Describe the limits and whom they hold."""
        plan = self.ground.plan
        return {
            "flowsPerInstance": plan.platform.firewall.flows,
            "networks": list(guarded_subnets(plan.networks)),
            "newFlowsPerSecond": plan.platform.firewall.new_flows_per_second,
        }

    def make(self, around: Around) -> Made:
        """Declare the rules; the container comes after them and goes before, so nobody puts back what is removed."""
        plan = self.ground.plan
        name = f"{self.part.part.name}.rules"
        return Made(FirewallRules(name, plan.stack, around.image, render_rules(plan), around.options()))
