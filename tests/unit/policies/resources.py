"""Resources made by hand for the tests of the pack: as they register, changed a property at a time."""

from __future__ import annotations

from typing import Any

from policies.resource import CONTAINER, SERVICE, Resource
from runyard import contracts, names
from runyard.images import image_reference
from runyard.manifest.model import Manifests
from runyard.plan import Plan, ServicePlan, plan

MIB = 1024**2
# A container's own 256 MiB and half a core.
MEMORY_BYTES = 256 * MIB


def resource(kind: str, name: str, properties: dict[str, Any], plain: dict[str, Any] | None = None) -> Resource:
    urn = f"urn:pulumi:dev::runyard::{kind}::{name}"
    return Resource(kind, name, urn, properties, properties if plain is None else plain)


def labels(**values: str) -> list[dict[str, str]]:
    return [{"label": names.LABEL_PREFIX + key, "value": value} for key, value in ({"stack": "dev"} | values).items()]


def container(own: str, tenant: str = "", **changes: Any) -> Resource:
    given = {
        "name": own,
        "image": "shop/batch:1",
        "memory": 256.0,
        "cpuQuota": 50_000.0,
        "cpuPeriod": 100_000.0,
        "readOnly": True,
        "capabilities": {"drops": ["ALL"]},
        "securityOpts": ["no-new-privileges"],
        "labels": labels(tenant=tenant) if tenant else labels(),
    }
    return resource(CONTAINER, own, given | changes)


def part(role: str) -> Resource:
    """A part of the platform as it is, with 512 MiB."""
    own = {"labels": labels(role=role), "image": image_reference(role), "networkMode": "host", "memory": 512.0}
    return container(f"runyard.dev.{role}", **own, cpuQuota=None)


def planned(manifests: Manifests) -> Plan:
    return plan(manifests, "dev")


def service(plan: ServicePlan, **changes: str) -> Resource:
    """A Service as the platform declares it; `changes` are inputs."""
    inputs = {
        "stack": "dev",
        "tenant": plan.tenant,
        "service": plan.name,
        "document": contracts.encode(plan.revision.document),
        "rollout": contracts.encode(plan.rollout),
        "route": contracts.encode(plan.route),
    }
    return resource(SERVICE, f"{plan.tenant}.{plan.name}", inputs | changes)
