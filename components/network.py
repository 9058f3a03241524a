"""Network: a bridge of the plan, with traffic between containers off where the plan isolates it."""

from __future__ import annotations

from typing import Any

import pulumi

from components.docker import DockerResource
from components.labels import platform_labels
from runyard import names
from runyard.plan import NetworkPlan


class Network(pulumi.ComponentResource):
    """A bridge with a fixed subnet, so that instances can have addresses of their own.

    Outputs: `network_name` (available once the bridge stands), `host_address` (the host's address on it).
    """

    network_name: pulumi.Output[str]
    host_address: pulumi.Output[str]
    short: str
    facts: dict[str, Any]

    def __init__(self, plan: NetworkPlan, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the bridge of `plan` for `stack`."""
        self.short = plan.name.removeprefix(f"runyard.{stack}.")
        quotas = {"quotas": dict(plan.quotas)} if plan.quotas else {}
        self.facts = {
            "subnet": plan.subnet,
            "hostAddress": plan.host_address,
            "internal": plan.internal,
            "isolated": plan.isolated,
            **quotas,
        }
        super().__init__("runyard:network:Network", self.short, self.facts, opts)
        bridge = DockerResource(
            "network",
            f"{self.short}.bridge",
            {
                "name": plan.name,
                "driver": "bridge",
                "internal": plan.internal,
                "options": {"com.docker.network.bridge.enable_icc": "false" if plan.isolated else "true"},
                "ipamConfigs": [{"subnet": plan.subnet, "gateway": plan.host_address}],
                "labels": platform_labels(stack, names.ROLE_NETWORK, tenant=plan.tenant),
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.network_name = bridge.name
        self.host_address = pulumi.Output.from_input(plan.host_address)
        # The quotas too, because policies of whole stacks see a component's outputs and nothing else of it.
        self.register_outputs({"network_name": self.network_name, "host_address": self.host_address, **quotas})
