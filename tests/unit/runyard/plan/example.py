"""Manifests made by hand for the tests of the plan: one service, changed a field at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

from runyard.contracts import ContainerDocument, RevisionDocument
from runyard.manifest.model import (
    Container,
    ContainerPort,
    Location,
    Manifests,
    Platform,
    RevisionTemplate,
    Service,
    Tenant,
)
from runyard.plan import RevisionPlan

LOCATION = Location("manifests/hello.yaml", 1, 1)


def container(**changes: Any) -> Container:
    return dataclasses.replace(Container("hello", "runyard/hello:1", port=ContainerPort()), **changes)


def template(**changes: Any) -> RevisionTemplate:
    return dataclasses.replace(RevisionTemplate((container(),)), **changes)


def service(**changes: Any) -> Service:
    return dataclasses.replace(Service("hello", "default", template(), LOCATION), **changes)


def manifests(*services: Service, **changes: Any) -> Manifests:
    tenants = tuple(Tenant(name) for name in sorted({"default", *(each.tenant for each in services)}))
    return dataclasses.replace(Manifests(Platform(), tenants, services), **changes)


def earlier(name: str, digest: str = "d" * 64, cpu_millis: int = 1000, **changes: Any) -> RevisionPlan:
    """Make a revision as a state has it, with one container of this size."""
    document = RevisionDocument(
        stack="dev",
        tenant="default",
        service="hello",
        name=name,
        identity=name,
        digest=digest,
        network="runyard.dev.tenant.default",
        gateway_address="",
        containers=(ContainerDocument("hello", "runyard/hello:1", cpu_millis=cpu_millis),),
    )
    return RevisionPlan(dataclasses.replace(document, **changes))
