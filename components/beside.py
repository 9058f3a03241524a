"""Beside: what a part of the platform has beside its container and its volumes, one class for each kind of the plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.docker import DockerResource
from components.network import Network
from components.resource import SigningKey, Sweep
from runyard.plan import PartPlan, Plan


@dataclass(frozen=True)
class Ground:
    """What parts stand on: the plan, its networks by name, and the volumes of the parts before, by name.

    `beside` has what the parts before have beside them, and `containers` theirs, by part.
    """

    plan: Plan
    networks: Mapping[str, Network]
    volumes: dict[str, DockerResource] = field(default_factory=dict)
    beside: dict[str, Sequence[Made]] = field(default_factory=dict)
    containers: dict[str, DockerResource] = field(default_factory=dict)


@dataclass(frozen=True)
class Around:
    """The part for which something is made: its image, its component and its own volumes."""

    image: str
    component: pulumi.Resource
    volumes: Sequence[DockerResource]

    def options(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """Stand below the part's component, after these."""
        return pulumi.ResourceOptions(parent=self.component, depends_on=list(after) or None)


@dataclass(frozen=True)
class Made:
    """What was made, for which the part's container waits, and what its environment has of it."""

    resource: pulumi.Resource
    environment: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)


class Beside(ABC):
    """One kind; most have nothing to say but what they make."""

    def __init__(self, ground: Ground, part: PartPlan) -> None:
        """Begin on what stands already, for a part."""
        self.ground, self.part = ground, part

    def after(self) -> Sequence[pulumi.Resource]:
        """List what must stand before the part."""
        return ()

    def tell(self, image: str) -> Mapping[str, str]:
        """Give what the environment of the part's container, which is of `image`, has of it as plain text."""
        return {}

    def describe(self) -> Mapping[str, Any]:
        """Describe what previews show of it with the part."""
        return {}

    @abstractmethod
    def make(self, around: Around) -> Made | None:
        """Declare it for a part; None where it is no more than what `tell` gives."""


class Key(Beside):
    """The pair of keys with which the stack's revisions are signed; the part knows the public one."""

    def make(self, around: Around) -> Made:
        """Declare the key."""
        key = SigningKey("key", self.part.stack, around.options())
        return Made(key, {"RUNYARD_PUBLIC_KEY": key.public})


class Verifier(Beside):
    """The pair of keys of a part before, of which this one knows the public one as well."""

    def make(self, around: Around) -> Made:
        """Give the key that was declared."""
        # Whoever stands in for that part has it as well.
        before = (each for made in self.ground.beside.values() for each in made)
        return next(each for each in before if isinstance(each.resource, SigningKey))


class LastSweep(Beside):
    """The sweep that frees networks and volumes of instances when the stack goes."""

    def after(self) -> Sequence[pulumi.Resource]:
        """Every network stands before the part and so outlives it."""
        return list(self.ground.networks.values())

    def make(self, around: Around) -> Made:
        """Declare the sweep; instances have volumes of the part, so it stands after them and goes before."""
        options = around.options(*around.volumes)
        return Made(Sweep(f"{self.part.part.name}.sweep", self.part.stack, options))
