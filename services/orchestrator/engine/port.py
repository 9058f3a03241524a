"""The engine's seam."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runyard.errors import HostError

Json = dict[str, Any]

# Of networks; they carry no label of ours, so those of every container on the host come.
NETWORK_EVENTS = ("connect", "disconnect")


class Refused(HostError):
    """The engine understood the request and will refuse it each time: a bad command, a bad option."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to the container with this id; `name` is Docker's action."""

    name: str
    container: str


class Engine(Protocol):
    """What a container engine can do; every method raises HostError or one of its kinds."""

    async def ping(self) -> None:
        """Do nothing but get an answer."""
        ...

    async def list(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Give the states of all containers with these labels, by id."""
        ...

    async def inspect(self, container: str) -> Json:
        """Describe a container in Docker's words."""
        ...

    async def inspect_network(self, network: str) -> Json:
        """Describe a network in Docker's words."""
        ...

    async def inspect_image(self, reference: str) -> Json:
        """Describe an image in Docker's words."""
        ...

    async def pull(self, reference: str) -> None:
        """Bring an image, named by its digest, from its registry."""
        ...

    async def create_volume(self, name: str, labels: Mapping[str, str], options: Mapping[str, str]) -> Json:
        """Create a volume and describe it in Docker's words; one of this name is left and described as it is."""
        ...

    async def users(self, volume: str) -> tuple[str, ...]:
        """Name the running containers that have a volume."""
        ...

    async def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is no error, Conflict if a container has it."""
        ...

    async def create(self, name: str, config: Json) -> str:
        """Create a container and give its id."""
        ...

    async def start(self, container: str, standard_input: str = "") -> None:
        """Start a container, with this text and then the end on its standard input; one that runs is left alone."""
        ...

    async def stop(self, container: str, grace_s: int) -> None:
        """Send the stop signal, wait for the grace, then kill; one that is gone is no error."""
        ...

    async def remove(self, container: str) -> None:
        """Kill and remove a container with its anonymous volumes; one that is gone is no error."""
        ...

    async def logs(self, container: str, lines: int) -> tuple[str, ...]:
        """Give the last lines of a container's output."""
        ...

    async def run(self, container: str, command: tuple[str, ...], standard_input: str = "") -> int:
        """Run a command inside a container, with this text on its standard input, and give its exit code."""
        ...

    def events(self, labels: Mapping[str, str]) -> AsyncIterator[Event]:
        """Yield events of containers with these labels, and of all networks, until the engine goes away."""
        ...
