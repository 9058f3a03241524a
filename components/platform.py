"""Platform: a whole plan as Pulumi resources, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.certificate import Certificate
from components.gateway import Gateway
from components.network import Network
from components.orchestrator import Orchestrator
from components.rollout import Rollout
from components.service import Service, ServicePlatform
from runyard.plan import Plan, ServicePlan
from runyard.plan.outlook import Facts
from runyard.secrets import TenantSecrets


@dataclass(frozen=True)
class Built:
    """What was declared: the URL of each service by `tenant/service`, and the rollouts, which come last of all.

    `facts` is what the components show of themselves, by kind and name.
    """

    urls: dict[str, pulumi.Output[str]]
    rollouts: list[Rollout]
    facts: Facts


def build(plan: Plan, secrets: TenantSecrets, certificates: Mapping[str, Mapping[str, str]] | None = None) -> Built:
    """Declare everything that a plan asks for; `certificates` maps a name to a chain and its key."""
    networks = {network.name: Network(network, plan.stack) for network in plan.networks}
    inner = networks[plan.platform_network.name]
    gateway = Gateway(plan.stack, plan.platform, inner, plan.platform_network.host_address)
    # Every network stands before the orchestrator and so outlives it: its sweep frees them of instances.
    orchestrator = Orchestrator(
        plan.stack, plan.platform, gateway, opts=pulumi.ResourceOptions(depends_on=list(networks.values()))
    )
    platform = ServicePlatform(
        stack=plan.stack,
        gateway=plan.platform.gateway,
        networks=list(networks.values()),
        parts=[gateway.container, orchestrator.container],
    )
    services: list[tuple[ServicePlan, Service]] = []
    if plan.platform.gateway.tls.on:
        parts = pulumi.ResourceOptions(depends_on=platform.parts)
        for name, pair in sorted((certificates or {}).items()):
            Certificate(name, plan.stack, pair, parts)
    for service in plan.services:
        values = secrets.get(service.tenant, {})
        secret = pulumi.Output.secret(dict(values)) if values else None
        services.append((service, Service(service, platform, secret)))
    urls = {f"{each.tenant}/{each.name}": service.url for each, service in services}
    facts: Facts = {
        ("Gateway", "gateway"): gateway.facts,
        ("Orchestrator", "orchestrator"): orchestrator.facts,
        **{("Network", network.short): network.facts for network in networks.values()},
        **{("Service", f"{each.tenant}.{each.name}"): service.facts for each, service in services},
    }
    return Built(urls, [service.rollout for _, service in services], facts)
