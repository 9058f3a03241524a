"""Resources that Pulumi is about to make, and what a rule of one is.

Properties are in Pulumi's spelling (`hostPath`), however a program spells them: the provider gives them that before any
rule is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from policies.property import Properties
from runyard.plan import ServicePlan

CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
PLUGIN = "docker:index/plugin:Plugin"
SWARM_SERVICE = "docker:index/service:Service"
VOLUME = "docker:index/volume:Volume"
# Of our own provider.
SERVICE = "runyard:index:Service"
ResourceCheck = Callable[[Properties, str], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it registers; `properties` are its inputs, and `plain` what is left of them without secrets.

    `service` is what the inputs of a Service say, once they are read. A `component` is made by no provider.
    """

    type: str
    name: str
    urn: str
    properties: Properties
    plain: Properties
    service: ServicePlan | None = None
    component: bool = False


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """A rule of resources of these types; `check` gives a message for each breach and takes the stack's name.

    One of what is `plain` is not shown what Pulumi keeps as a secret.
    """

    id: str
    sentence: str
    fix: str
    check: ResourceCheck
    types: tuple[str, ...] = (CONTAINER,)
    severity: Literal["advisory", "mandatory"] = "mandatory"
    plain: bool = False

    def broken_by(self, resource: Resource, stack: str) -> Iterator[str]:
        """Give a message for each breach by a resource of one of its types."""
        return self.check(resource.plain if self.plain else resource.properties, stack)
