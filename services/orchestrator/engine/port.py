"""Port: what the orchestrator needs of an engine, in words of revisions and instances.

An engine makes containers of what the book and a document say, shows them, and tells how one that it shows differs from
what it would make. How it describes them to itself stays behind the seam.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from runyard.errors import HostError
from services.orchestrator.model.entry import BookEntry
from services.orchestrator.model.instance import State
from services.orchestrator.model.revision import Revision


class Refused(HostError):
    """The engine understood the request and will refuse it each time: a bad command, a bad option."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to the container with this id; unless it is `ours`, it may be anybody's on this host.

    `role` is what its label claims.
    """

    container: str
    ours: bool = True
    role: str = ""


@dataclass(frozen=True, slots=True)
class SeenContainer:
    """A container with this stack's labels, as the engine showed it last.

    `tenant`, `revision`, `instance` and `container` are what its labels claim, which somebody else may have written.
    `started_ms` is when it was started last, in milliseconds since 1970; 0 before it was. `addresses` are by network,
    also those that a stopped one only reserves. `native` is the engine's own description.
    """

    id: str
    name: str
    state: State
    tenant: str
    revision: str
    instance: str
    container: str
    exit_code: int = 0
    oom_killed: bool = False
    addresses: Mapping[str, str] = field(default_factory=dict)
    native: object = field(default=None, repr=False)
    started_ms: int = 0


@dataclass(frozen=True, slots=True)
class Departure:
    """What of a container of ours is not as it was made: `fault` keeps it from serving, `edited` does not.

    One that is `boosted` still may take the CPU of its start.
    """

    fault: str = ""
    edited: str = ""
    boosted: bool = False


@dataclass(frozen=True, slots=True)
class Subnet:
    """The IPv4 range of a network (CIDR) and the addresses that are in use in it, its gateway's included."""

    cidr: str
    taken: frozenset[str]


# A part is between states while the engine or an update makes, starts or removes it: nobody else should touch it then.
PartState = Literal["running", "paused", "stopped", "between"]


@dataclass(frozen=True, slots=True)
class SeenPart:
    """The container of a part of the platform, as the engine showed it last."""

    id: str
    state: PartState
    exit_code: int = 0


class PartEngine(Protocol):
    """An engine that holds the parts of one stack's platform, by their names; every method raises HostError."""

    async def look(self, part: str) -> SeenPart | None:
        """Look at a part; None if no container of its name has its labels."""
        ...

    async def start(self, container: str) -> None:
        """Start a part's container, by its id; one that runs is left alone."""
        ...

    async def resume(self, container: str) -> None:
        """Let a paused container go on; one that runs is left alone."""
        ...

    async def kill(self, part: str) -> None:
        """Kill a part, paused or not, and return when it is dead; NotFound if there is none."""
        ...

    def events(self) -> AsyncIterator[None]:
        """Tell each time that something happened to any part, until the engine goes away."""
        ...


class Engine(Protocol):
    """An engine that holds instances of one stack; every method raises HostError or one of its kinds."""

    async def ping(self) -> None:
        """Do nothing but get an answer."""
        ...

    async def states(self) -> Mapping[str, State]:
        """Give the states of all containers that carry this stack's labels of instances, by id."""
        ...

    async def observe(self, containers: Collection[str]) -> Mapping[str, SeenContainer]:
        """Look at containers, by id; those that are gone, or do not carry this stack's labels, are absent."""
        ...

    def departure(self, entry: BookEntry, revision: Revision, container: str, seen: SeenContainer) -> Departure:
        """Tell how a container of an instance in the book departs from what was made."""
        ...

    async def difference(self, entry: BookEntry, revision: Revision, seen: SeenContainer) -> str:
        """Name the first thing in which a container is not what this revision makes; empty when there is none."""
        ...

    async def subnet(self, network: str) -> Subnet:
        """Describe a network; HostError if it has no IPv4 range."""
        ...

    async def users(self, volume: str) -> tuple[str, ...]:
        """Name the running containers that have a volume, ours or not."""
        ...

    async def make_volumes(self, revision: Revision, instance: str) -> None:
        """Make the volumes that an instance mounts and that are not there; Refused if somebody has such a name."""
        ...

    async def make(self, entry: BookEntry, revision: Revision, container: str) -> str:
        """Make a container of an instance and give its id; those before it in the book have theirs.

        An image that is missing is brought from its registry; NotFound names one that no registry has.
        """
        ...

    async def start(self, container: str, standard_input: str = "") -> None:
        """Start a container, with this text and then the end on its standard input; one that runs is left alone."""
        ...

    async def pause(self, container: str) -> None:
        """Take all CPU from a container, which keeps its memory; one that is paused is left alone."""
        ...

    async def resume(self, container: str) -> None:
        """Let a paused container go on; one that runs is left alone."""
        ...

    async def limit_cpu(self, container: str, millis: int) -> None:
        """Hold a container to so many thousandths of a core from now on."""
        ...

    async def stop(self, container: str, grace_s: int) -> None:
        """Send the stop signal, wait for the grace, then kill; one that is gone is no error."""
        ...

    async def wait(self, container: str, within_s: float) -> None:
        """Wait until a container has ended or is gone, but no longer than this."""
        ...

    async def remove(self, container: str) -> None:
        """Kill and remove a container; one that is gone is no error."""
        ...

    async def remove_volume(self, volume: str) -> None:
        """Remove a volume; one that is gone is no error, Conflict if a container has it."""
        ...

    async def logs(self, container: str, lines: int) -> tuple[str, ...]:
        """Give the last lines of a container's output."""
        ...

    async def run(self, container: str, command: tuple[str, ...], standard_input: str = "") -> int:
        """Run a command inside a container, with this text on its standard input, and give its exit code."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """Yield what happens to containers of this stack, and to others' networks, until the engine goes away."""
        ...
