"""Kind of resource: what the server asks of each, in plain values; one module a kind carries it out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runyard.errors import RunyardError

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a resource tells of itself beside its inputs; nothing of `secret` is ever shown or stored in plain."""

    plain: Values = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ResourceState:
    """What Pulumi's state has of a resource: secrets are plain values here."""

    id: str
    inputs: Values = field(repr=False)
    outputs: Values = field(repr=False)


class Unfinished(RunyardError):
    """A resource that is there and is not what was asked for; the state keeps it, and the next update mends it."""

    def __init__(self, reason: str, outputs: Outputs) -> None:
        self.outputs = outputs
        super().__init__(reason)


class Kind(ABC):
    """A kind of resource; errors of Runyard's tree are told to the user as they are."""

    @abstractmethod
    def identify(self, inputs: Values) -> str:
        """Give the id of the resource with these inputs."""

    def check(self, _inputs: Values) -> Sequence[str]:
        """Say what is wrong with inputs before anything is touched; in a preview some are UNKNOWN."""
        return ()

    def diff(self, state: ResourceState, inputs: Values) -> Sequence[str]:
        """Name the inputs that differ."""
        return differing(state.inputs, inputs)

    def find_lost(self, _state: ResourceState) -> Sequence[str]:
        """Name what the host has no more as the state has it; none where that is not known, as in many a preview."""
        return ()

    def foresee(self, _inputs: Values) -> Outputs:
        """Give what a preview knows of the outputs that a creation will have."""
        return Outputs()

    @abstractmethod
    def create(self, inputs: Values) -> Outputs:
        """Make the resource; Unfinished if it is there and not as it should be."""

    def update(self, _state: ResourceState, inputs: Values) -> Outputs:
        """Make the resource what these inputs say; Unfinished if it is not as it should be afterwards."""
        return self.create(inputs)

    def exists(self, _state: ResourceState) -> bool:
        """Tell a refresh whether the resource is there; what it cannot see is there."""
        return True

    @abstractmethod
    def delete(self, state: ResourceState) -> None:
        """Remove the resource; one that is gone already is fine."""


def differing(before: Values, after: Values) -> list[str]:
    """Name the keys with different values, sorted."""
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
