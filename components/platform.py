"""Platform: a whole plan as Pulumi resources, in the order in which they need each other."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.gateway import Gateway
from components.network import Network
from components.orchestrator import Orchestrator
from components.rollout import Rollout
from components.service import Service, ServicePlatform
from runyard.plan import Plan
from runyard.secrets import TenantSecrets


@dataclass(frozen=True)
class Built:
    """What was declared: the URL of each service by `tenant/service`, and the rollouts, which come last of all."""

    urls: dict[str, pulumi.Output[str]]
    rollouts: list[Rollout]


def build(plan: Plan, secrets: TenantSecrets) -> Built:
    """Declare everything that a plan asks for."""
    networks = {network.name: Network(network, plan.stack) for network in plan.networks}
    inner = networks[plan.platform_network.name]
    gateway = Gateway(
        plan.stack,
        plan.platform,
        plan.platform_network.host_address,
        opts=pulumi.ResourceOptions(depends_on=[inner]),
    )
    # Every network stands before the orchestrator and so outlives it: its sweep frees them of instances.
    orchestrator = Orchestrator(
        plan.stack, plan.platform, gateway, opts=pulumi.ResourceOptions(depends_on=list(networks.values()))
    )
    platform = ServicePlatform(
        stack=plan.stack,
        port=plan.platform.gateway.port,
        networks=list(networks.values()),
        parts=[gateway.container, orchestrator.container],
    )
    services = {}
    for service in plan.services:
        values = secrets.get(service.tenant, {})
        secret = pulumi.Output.secret(dict(values)) if values else None
        services[f"{service.tenant}/{service.name}"] = Service(service, platform, secret)
    urls = {key: service.url for key, service in services.items()}
    return Built(urls, [service.rollout for service in services.values()])
