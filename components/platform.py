"""Platform: a whole plan as Pulumi resources, in the order in which they need each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.beside import Beside, Ground, Key, LastSweep, Verifier
from components.firewall import Rules
from components.gateway import Configuration
from components.network import Network
from components.part import Part
from components.prometheus import Scrapes
from components.resource import Certificate, Claim, Receivers, SigningKey
from components.service import Service, ServicePlatform
from runyard import names
from runyard.names import service_key
from runyard.plan import Plan, ServicePlan
from runyard.plan.alerting import describe_receivers, render_receivers
from runyard.plan.outlook import Facts
from runyard.plan.part import BesideKind
from runyard.secrets import TenantSecrets

BESIDES: Mapping[BesideKind, type[Beside]] = {
    "configuration": Configuration,
    "key": Key,
    "rules": Rules,
    "scrapes": Scrapes,
    "sweep": LastSweep,
    "verifier": Verifier,
}


@dataclass(frozen=True)
class Given:
    """What a stack is built with beside its plan.

    `secrets` maps a tenant to `name/key` to a value, and the platform as "" for its receivers; `certificates` maps a
    name to a chain and its key; `claim` is what the stack claims of its host, as JSON.
    """

    claim: str
    secrets: TenantSecrets = field(default_factory=dict)
    certificates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """What was declared: the URL of each service by `tenant/service`, containers of parts, and services.

    `facts` is what the components show of themselves, by kind and name.
    """

    urls: dict[str, str]
    containers: Sequence[pulumi.Resource]
    services: Sequence[pulumi.Resource]
    facts: Facts


async def close(built: Built, plan: Plan, given: Given) -> None:
    """Declare what comes last, the claim, once all services are made or have failed, and wait for it.

    What an update takes away is claimed until it is gone: while a service has failed, and what it was to replace goes
    on, the claim stays what it was. The SDK has no word for that: what depends on a failed resource it cannot declare,
    and Pulumi would take what is not declared away.
    """
    ended = await asyncio.gather(*(each.urn.future() for each in built.services), return_exceptions=True)
    failed = [isinstance(each, BaseException) for each in ended]
    made = [service for service, bad in zip(built.services, failed, strict=True) if not bad]
    options = pulumi.ResourceOptions(
        depends_on=[*built.containers, *made], ignore_changes=["claim"] if any(failed) else None
    )
    claim = Claim("claim", plan.stack, given.claim, options)
    await asyncio.gather(claim.urn.future(), return_exceptions=True)


def build(plan: Plan, given: Given) -> Built:
    """Declare everything that a plan asks for but the claim, which `close` does."""
    networks = {network.name: Network(network, plan.stack) for network in plan.networks}
    ground = Ground(plan, networks)
    parts = [Part(each, ground, [BESIDES[kind](ground, each) for kind in each.part.beside]) for each in plan.parts]
    (key,) = {each for part in parts for each in part.made if isinstance(each, SigningKey)}
    containers = [part.container for part in parts]
    if plan.platform.gateway.tls.on:
        for name, pair in sorted(given.certificates.items()):
            Certificate(name, plan.stack, pair, pulumi.ResourceOptions(depends_on=containers))
    if plan.alerting.receivers:
        configuration = render_receivers(plan.alerting, given.secrets)
        options = pulumi.ResourceOptions(depends_on=[ground.containers[names.ROLE_ALERTMANAGER]])
        Receivers(plan.stack, describe_receivers(plan.alerting), configuration, options)
    platform = ServicePlatform(plan.stack, plan.platform.gateway, key.private, containers)
    services = [
        Service(each, platform, given.secrets.get(each.tenant), _on_networks(each, networks)) for each in plan.services
    ]
    facts: Facts = {
        **{(each.part.kind, each.part.name): part.facts for each, part in zip(plan.parts, parts, strict=True)},
        **{("Network", network.short): network.facts for network in networks.values()},
        **{
            ("Service", f"{each.tenant}.{each.name}"): service.shown
            for each, service in zip(plan.services, services, strict=True)
        },
    }
    urls = {
        service_key(each.tenant, each.name): service.url for each, service in zip(plan.services, services, strict=True)
    }
    return Built(urls, containers, services, facts)


def _on_networks(service: ServicePlan, networks: Mapping[str, Network]) -> pulumi.ResourceOptions:
    """Let a service's networks outlive it: with a tenant they go in one update, and a bridge must be empty first.

    That the orchestrator comes after all networks does not tell so of one that the update no longer declares.
    """
    its = {revision.document.network for revision in (service.revision, *service.kept)}
    return pulumi.ResourceOptions(depends_on=[networks[name] for name in sorted(its)])
