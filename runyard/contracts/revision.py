"""Revision document: everything that shapes the instances of a revision; the plan makes it and the provider signs it.

What is not in it cannot be asked for: capabilities, namespaces, devices, a writable root and binds of the host's files
have no field, so no document, however it came about, makes an instance that is less confined than ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from runyard import names
from runyard.codec import VERSION
from runyard.contracts.scaling import ScalingDocument

ProbeKind = Literal["http", "tcp", "grpc", "exec"]

# CIS Docker Benchmark 5.29 asks for a limit; 256 is the platform's default for any service (design: faults 7.1).
PIDS_LIMIT = 256
# How long an instance may go on with its requests after SIGTERM (Cloud Run: 10 s).
TERMINATION_GRACE_S = 10


@dataclass(frozen=True, slots=True)
class Probe:
    """A health check; `port` is None for exec, `path` and `headers` are for http, `service` for grpc."""

    kind: ProbeKind
    port: int | None = None
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""
    command: tuple[str, ...] = ()
    initial_delay_s: int = 0
    period_s: int = 10
    timeout_s: int = 1
    failure_threshold: int = 3
    success_threshold: int = 1


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A value that no document holds: a key of one of the tenant's secrets, and the slow digest of what it must be.

    The digest is that of `runyard.secrets`; it is empty only in a plan that was made without the stack's secrets. What
    is optional and has no value is in no document.
    """

    name: str
    key: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable: a plain value, or one of a secret."""

    name: str
    value: str = ""
    secret: SecretValue | None = None


@dataclass(frozen=True, slots=True)
class MemoryMount:
    """A writable place in memory (tmpfs) that the container has for itself, at most this large."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret's value as a file; `path` is relative to its mount, `mode` its permission bits."""

    path: str
    secret: SecretValue
    mode: int = 0o444


@dataclass(frozen=True, slots=True)
class FilesMount:
    """A directory in memory, below which the launcher writes secrets' values before the image's command runs.

    With `authority` it writes there the certificate of the CA of `.internal` too.
    """

    path: str
    files: tuple[SecretFile, ...] = ()
    authority: bool = False


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A volume of the document's `volumes`, or a directory of it, at a path of one container."""

    volume: str
    path: str
    read_only: bool = False
    sub_path: str = ""


@dataclass(frozen=True, slots=True)
class VolumeDocument:
    """A volume: `shared` is memory that the containers of one instance share, `persistent` outlives all of them.

    A persistent one is the tenant's, by its name, and has one writer: all revisions of its service together have one
    instance at a time.
    """

    name: str
    kind: Literal["shared", "persistent"]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ContainerDocument:
    """One container of a revision's instances; `entrypoint` and `command` are Docker's, empty for the image's own.

    Hosts, users and paths are as the manifest has them; `cpu_millis` is in thousandths of a core, `startup_cpu_millis`
    what it may take until its instance has been ready for a while, 0 for no more than later, and `cpu_weight_millis`
    what it counts for beside others where CPU is short. `depends_on` names the containers that must have started
    before.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[Variable, ...] = ()
    working_dir: str = ""
    user: str = ""
    cpu_millis: int = 1000
    memory_bytes: int = 512 * 1024 * 1024
    cpu_weight_millis: int = 1000
    pids_limit: int = PIDS_LIMIT
    memory_mounts: tuple[MemoryMount, ...] = ()
    file_mounts: tuple[FilesMount, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    depends_on: tuple[str, ...] = ()
    writable_root: bool = False
    startup_cpu_millis: int = 0


@dataclass(frozen=True, slots=True)
class ImageIdentity:
    """What an image's name stood for when the revision was made: the engine's id, and a registry's digest if any."""

    id: str
    digest: str = ""

    @property
    def short(self) -> str:
        """As many digits as Docker shows of the id, or where there is none of the registry's digest."""
        return (self.id or self.digest.rpartition("@")[2]).removeprefix("sha256:")[:12]

    def is_same_as(self, other: ImageIdentity) -> bool:
        """Tell whether both are one image: by the engine's id, or where either has none, by the registry's digest."""
        if self.id and other.id:
            return self.id == other.id
        # The same content whatever the names of its registry and repository.
        one, another = (each.digest.rpartition("@")[2] for each in (self, other))
        return bool(one) and one == another


class Limited(Protocol):
    """A container's limits."""

    @property
    def cpu_millis(self) -> int:
        """Its CPU, in thousandths of a core."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Its memory."""
        ...


class InstanceLimits:
    """What an instance may take, of whatever has its containers and those that run alone before them."""

    __slots__ = ()
    containers: tuple[Limited, ...]
    init_containers: tuple[Limited, ...]

    @property
    def cpu_millis(self) -> int:
        """The CPU limits of an instance's containers together, or the largest of those that run alone before them."""
        return max([sum(each.cpu_millis for each in self.containers), *(i.cpu_millis for i in self.init_containers)])

    @property
    def memory_bytes(self) -> int:
        """The memory limits of an instance's containers together, or the largest of those that run alone before."""
        return max(
            [sum(each.memory_bytes for each in self.containers), *(i.memory_bytes for i in self.init_containers)]
        )


@dataclass(frozen=True, slots=True)
class RevisionDocument(InstanceLimits):
    """A revision of a service: its containers, the one that takes requests first, and how they are run and reached.

    `init_containers` run before them, one after another, each to its end with exit code 0.

    `name` is the revision's, `identity` the name, followed by the hash where the manifest chose the name, and `digest`
    the hash of what shapes it. `callees` are the services of its tenant that it may call, at `gateway_address`, where
    with `metadata` it is told of itself too.
    `images` maps containers to what the provider found their images to be; it is no part of the digest, as plans have
    no engine.
    """

    stack: str
    tenant: str
    service: str
    name: str
    identity: str
    digest: str
    network: str
    gateway_address: str
    containers: tuple[ContainerDocument, ...]
    init_containers: tuple[ContainerDocument, ...] = ()
    volumes: tuple[VolumeDocument, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    callees: tuple[str, ...] = ()
    metadata: bool = False
    port: int = 8080
    protocol: Literal["http1", "h2c"] = "http1"
    concurrency: int = 80
    min_instances: int = 0
    max_instances: int = 100
    scaling: ScalingDocument = field(default_factory=ScalingDocument)
    progress_deadline_s: int = 600
    termination_grace_s: int = TERMINATION_GRACE_S
    runtime: str = ""
    images: Mapping[str, ImageIdentity] = field(default_factory=dict)
    version: int = VERSION

    @property
    def known_hosts(self) -> tuple[str, ...]:
        """Name the hosts that its instances find at `gateway_address`, in a stable order."""
        called = (*self.callees, names.METADATA) if self.metadata else self.callees
        return tuple(sorted(names.internal_host(each) for each in called))

    @property
    def secrets(self) -> tuple[SecretValue, ...]:
        """Every secret value that its containers get, once each, in a stable order."""
        found = {
            secret
            for container in (*self.containers, *self.init_containers)
            for secret in (
                *(each.secret for each in container.environment),
                *(file.secret for mount in container.file_mounts for file in mount.files),
            )
            if secret is not None
        }
        return tuple(sorted(found, key=lambda each: (each.name, each.key, each.digest)))


@dataclass(frozen=True, slots=True)
class SignedRevision:
    """A revision document as text, and the signature of that text (Ed25519, base64) by the stack's key."""

    document: str
    signature: str
