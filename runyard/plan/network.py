"""Networks of a plan: one bridge for the platform, one for each tenant, and an internal one where egress is off.

A subnet that a Tenant does not name is taken from the Platform's pool by a hash of stack and network, never by
order: another tenant that comes or goes moves nobody. Two that fall on the same subnet are an error with a fix
(docs/adr/0005).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
from collections.abc import Collection, Iterable

from runyard import names
from runyard.errors import ManifestError
from runyard.manifest.model import Location, Manifests, Service, Tenant
from runyard.manifest.problems import Problem
from runyard.plan.model import NetworkPlan
from runyard.plan.quota import limits_of

# 1,021 instances in a tenant's subnet; the default pool (a /9) then has 8,192 of them.
SUBNET_PREFIX = 22


def plan_networks(stack: str, manifests: Manifests, kept: Collection[str] = ()) -> tuple[NetworkPlan, ...]:
    """Plan the platform's bridge, then the tenants' by name; ManifestError if two would overlap.

    `kept` names networks that earlier revisions are on: they stay, whatever the manifests now ask for.
    """
    pool = ipaddress.IPv4Network(manifests.platform.address_pool)
    networks = [_network(names.platform_network(stack), derive_subnet(pool, names.platform_network(stack)))]
    locations = [manifests.platform.location]
    for tenant in manifests.tenants:
        for network in _tenant_networks(stack, pool, tenant, manifests.services, kept):
            networks.append(network)
            locations.append(tenant.location)
    _check_overlap(networks, locations)
    return tuple(networks)


def derive_subnet(pool: ipaddress.IPv4Network, name: str) -> ipaddress.IPv4Network:
    """Pick the subnet of a network from the pool by the hash of its name."""
    prefix = max(SUBNET_PREFIX, pool.prefixlen)
    slot = int(names.digest(name)[:12], 16) % (1 << (prefix - pool.prefixlen))
    base = int(pool.network_address) + slot * (1 << (32 - prefix))
    return ipaddress.IPv4Network((base, prefix))


def _tenant_networks(
    stack: str, pool: ipaddress.IPv4Network, tenant: Tenant, services: Iterable[Service], kept: Collection[str]
) -> Iterable[NetworkPlan]:
    name = names.tenant_network(stack, tenant.name)
    subnet = ipaddress.IPv4Network(tenant.subnet) if tenant.subnet else derive_subnet(pool, name)
    yield dataclasses.replace(_network(name, subnet, tenant=tenant.name), quotas=limits_of(tenant.quotas))
    internal = names.tenant_network(stack, tenant.name, internal=True)
    if internal in kept or any(each.egress == "none" for each in services if each.tenant == tenant.name):
        yield _network(internal, derive_subnet(pool, internal), tenant=tenant.name, internal=True)


def _network(
    name: str, subnet: ipaddress.IPv4Network, *, tenant: str | None = None, internal: bool = False
) -> NetworkPlan:
    return NetworkPlan(name, str(subnet), str(subnet.network_address + 1), tenant, internal)


def _check_overlap(networks: list[NetworkPlan], locations: list[Location | None]) -> None:
    taken = sorted(
        (ipaddress.IPv4Network(network.subnet), network.name, location)
        for network, location in zip(networks, locations, strict=True)
    )
    problems = [
        Problem(
            location=location or earlier_location or Location("manifests", 1, 1),
            path="spec.subnet",
            message=f"must not overlap: {name} has {subnet}, {earlier_name} has {earlier}",
            rule="network-overlap",
            hint="set spec.subnet of one of the tenants",
        )
        for (earlier, earlier_name, earlier_location), (subnet, name, location) in itertools.pairwise(taken)
        if subnet.overlaps(earlier)
    ]
    if problems:
        raise ManifestError(problems)
