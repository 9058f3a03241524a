"""Manifests made by hand for the tests of the plan: one service, changed a field at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

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
