"""Part: a container that a stack runs for itself, as it is in every stack, and as it is planned for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard import names
from runyard.plan.effect import Effect
from runyard.plan.listeners import ListenerPlan

# What a part has beside its container, volumes and settings: the gateway's tested configuration, the key that signs
# the stack's revisions, or of it the public half for one more part, the firewall's tried rules, which go with the
# stack, what Prometheus scrapes, and the sweep that removes instances when it goes. Components make each of them.
BesideKind = Literal["configuration", "key", "rules", "scrapes", "sweep", "verifier"]
# Of a volume: files that are each replaced at once and fit together at any moment, or the dump of a database.
Saved = Literal["nothing", "files", "dump"]
ENGINE_SOCKET = "/var/run/docker.sock"
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PartVolume:
    """A volume of the platform and where a part has it; one that is not `own` is another part's, before it.

    `saved` is what a backup has of it.
    """

    name: str
    path: str
    own: bool = True
    read_only: bool = False
    saved: Saved = "nothing"


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it is in every stack; its name is also its role's, its image's, and its component's.

    One that `stands_in_for` another part is of that one's image, and is told all that it is told.
    `effect` is what clients feel while its container is made anew. `memory_mounts` are paths of further memory, in MiB,
    which like /tmp counts to `memory_mib`; `binds` maps a path of the host to one inside, and `host_reads` are paths of
    the host that it has where they are, and only reads. `metrics` says that its first listener has some, at /metrics,
    and `health` is where that answers 200 while the part is well.
    """

    name: str
    effect: Effect
    memory_mib: int
    stands_in_for: str = ""
    tmp_mib: int = 16
    memory_mounts: Mapping[str, int] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    volumes: tuple[PartVolume, ...] = ()
    binds: Mapping[str, str] = field(default_factory=dict)
    host_reads: tuple[str, ...] = ()
    beside: tuple[BesideKind, ...] = ()
    metrics: bool = False
    health: str = ""

    @property
    def role(self) -> str:
        """What its container's label says."""
        return self.name

    @property
    def image(self) -> str:
        """The image's name in the catalog."""
        return self.stands_in_for or self.name

    @property
    def kind(self) -> str:
        """What previews and reviews call it."""
        return self.name.title()

    @property
    def component(self) -> str:
        """The type of its component in Pulumi's state."""
        return f"runyard:{self.name}:{self.kind}"

    @property
    def memory_bytes(self) -> int:
        """What it may take of the host's memory."""
        return self.memory_mib * _MEBIBYTE

    @property
    def has_engine_socket(self) -> bool:
        """Whether it holds the engine's socket, and with it the host."""
        return ENGINE_SOCKET in self.binds


@dataclass(frozen=True, slots=True)
class PartPlan:
    """A part of one stack: what it is told, and where it listens."""

    stack: str
    part: Part
    environment: Mapping[str, str]
    listeners: tuple[ListenerPlan, ...]

    @property
    def container(self) -> str:
        """The name of its container."""
        return names.platform_container(self.stack, self.part.name)

    @property
    def volumes(self) -> dict[str, str]:
        """The names of its volumes on the host, and where it has them."""
        return {self.name_volume(each): each.path for each in self.part.volumes}

    @property
    def read_only(self) -> frozenset[str]:
        """The names on the host of those that it only reads."""
        return frozenset(self.name_volume(each) for each in self.part.volumes if each.read_only)

    @property
    def own_volumes(self) -> dict[str, PartVolume]:
        """The volumes that come and go with it, by their names on the host."""
        return {self.name_volume(each): each for each in self.part.volumes if each.own}

    def name_volume(self, volume: PartVolume) -> str:
        """Name a volume on the host."""
        return names.platform_volume(self.stack, volume.name)
