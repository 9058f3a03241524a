"""Messages between Runyard's parts, versioned.

They are the labels on templates, the requests to the orchestrator, its status, and the snapshot that it pushes
to the gateway. Every message is a frozen dataclass; `encode` gives
canonical JSON (sorted keys, no spaces) and `decode` gives the message back or raises `ContractError` naming the
field. A field with a default may be absent, so a newer reader understands an older writer; an unknown field is
refused, so an older reader never guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION, decode, encode, fields_of

ProbeKind = Literal["http", "tcp", "grpc", "exec"]
Ingress = Literal["all", "internal", "internal-and-cloud-load-balancing"]


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
class RevisionSpec:
    """What the orchestrator must know of a revision; on the template of its ingress container."""

    service: str
    port: int
    containers: tuple[str, ...]
    protocol: Literal["http1", "h2c"] = "http1"
    concurrency: int = 80
    min_instances: int = 0
    max_instances: int = 100
    progress_deadline_s: int = 600
    # How long an instance may go on with its requests after SIGTERM (Cloud Run: 10 s).
    termination_grace_s: int = 10


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """The `runyard.dev/spec` label of a template: what Docker has no argument for."""

    container: str
    pids_limit: int
    # The Docker provider takes whole mebibytes; instances get the exact number. 0 leaves the template's.
    memory_bytes: int = 0
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    depends_on: tuple[str, ...] = ()
    revision: RevisionSpec | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class TrafficShare:
    """A revision's share of its service's requests in percent, and its tag."""

    revision: str
    percent: int
    tag: str = ""


def part_of(count: int, percent: int) -> int:
    """Give the part of a service's own count that a share of its traffic has, rounded up: together never too few."""
    return -(-count * percent // 100)


@dataclass(frozen=True, slots=True)
class PathRoute:
    """A part of a public host: `path` and what lies below it.

    `rewrite` takes the place of `path` in what the instance sees; empty leaves the path as it is.
    """

    host: str
    path: str
    rewrite: str = ""


@dataclass(frozen=True, slots=True)
class Handling:
    """How the gateway handles the requests of a service; a number that is 0 sets no limit of the service's own.

    `response_start_s` is the time to the first byte, `idle_s` the longest silence after it. Without
    `request_buffering`, bodies pass both ways as they come. With `cache`, answers that say so are kept for others.
    """

    response_start_s: int = 0
    idle_s: int = 0
    max_request_bytes: int = 0
    max_response_bytes: int = 0
    request_buffering: bool = True
    cache: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gateway lets a service be asked for; 0 is no limit.

    `client_requests_per_second` is for each client, told by `client_header` or, without, by its address; a burst of 0
    is the gateway's default. `tenant_requests_per_second` is for all services of the tenant together.
    """

    requests_per_second: int = 0
    tenant_requests_per_second: int = 0
    client_requests_per_second: int = 0
    client_burst: int = 0
    client_header: str = ""
    concurrent_requests: int = 0
    # How many requests wait for a free instance, and how long; 0 s is the platform's time to hold a request.
    queue_size: int = 1000
    queue_timeout_s: int = 0


@dataclass(frozen=True, slots=True)
class Fallback:
    """What answers when no instance of a service can: another service of its tenant, or a page; both empty is none."""

    service: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Asks the orchestrator to answer these hosts with this service, and says how.

    A host may begin with `*.`, which stands for one label, and `*` alone is every host that nobody else answers.
    """

    tenant: str
    service: str
    hosts: tuple[str, ...]
    ingress: Ingress = "all"
    timeout_s: int = 300
    session_affinity: bool = False
    paths: tuple[PathRoute, ...] = ()
    handling: Handling = field(default_factory=Handling)
    limits: Limits = field(default_factory=Limits)
    fallback: Fallback = field(default_factory=Fallback)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """Asks the orchestrator to make every named revision ready by the deadline, then to move the traffic.

    The counts are the service's own, over all revisions by their share, and take effect without a new revision:
    `manual_instances` is exact and excludes the other two, and a `max_instances` of 0 is no limit. `duration_s` is
    the time over which the traffic moves; 0 is at once.
    """

    tenant: str
    service: str
    traffic: tuple[TrafficShare, ...]
    deadline_s: int = 600
    min_instances: int = 0
    max_instances: int = 0
    manual_instances: int | None = None
    duration_s: int = 0
    # Every revision of the service whose templates stay, newest first: where a rollback finds the one before.
    history: tuple[str, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Asks the orchestrator to put all of a service's traffic on a revision of its history."""

    tenant: str
    service: str
    revision: str
    deadline_s: int = 60
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What the orchestrator is told of TLS when it starts; `acme_ca` is the PEM of a private ACME server's CA."""

    mode: Literal["none", "local", "files", "acme"] = "none"
    domain: str = "localhost"
    acme_directory: str = ""
    acme_contacts: tuple[str, ...] = ()
    acme_ca: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Asks the orchestrator to answer the hosts that a certificate names with it; PEM, the leaf first."""

    name: str
    chain: str
    # Never in a log: not even a message that is printed whole shows it.
    key: str = field(repr=False)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """A host's certificate; `not_after` in seconds since 1970, 0 where there is none, and `problem` what is wrong."""

    host: str
    source: Literal["local", "file", "acme", "none"]
    not_after: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RevisionStatus:
    """A revision as the orchestrator sees it; `reason` says why the last instance failed, with its last log lines.

    `held_s` is how much longer it keeps the capacity that it took over in a rollout, above its own minimum.
    """

    tenant: str
    service: str
    revision: str
    desired: int
    ready: int
    addresses: tuple[str, ...] = ()
    restarts: int = 0
    reason: str = ""
    logs: tuple[str, ...] = ()
    held_s: int = 0


@dataclass(frozen=True, slots=True)
class ShiftStatus:
    """Traffic on its way to `goal`; while `stalled` it is back where it was, because a new revision is not ready."""

    goal: tuple[TrafficShare, ...]
    remaining_s: int
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service as the orchestrator sees it: traffic and hosts in force, its revisions from new to old.

    `shift` tells of traffic on its way.
    """

    tenant: str
    service: str
    hosts: tuple[str, ...]
    uses: tuple[str, ...]
    traffic: tuple[TrafficShare, ...]
    history: tuple[str, ...] = ()
    shift: ShiftStatus | None = None

    @property
    def goal(self) -> tuple[TrafficShare, ...]:
        """The traffic that was asked for last: what is in force, or what it is on its way to."""
        return self.traffic if self.shift is None else self.shift.goal


@dataclass(frozen=True, slots=True)
class OrchestratorStatus:
    """The orchestrator's whole view; `generation` is the snapshot that the gateway confirmed last.

    `problems` says what keeps it from acting as it should, such as a document that cannot be read.
    """

    generation: int
    in_step: bool
    services: tuple[ServiceStatus, ...] = ()
    revisions: tuple[RevisionStatus, ...] = ()
    problems: tuple[str, ...] = ()
    certificates: tuple[CertificateStatus, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class GatewayService:
    """A service in the gateway's snapshot; `uses` names what its instances may call, within its tenant.

    `session_affinity` keeps a client on the revision and instance that it met first. `stopped` says that it has no
    instances on purpose, so that nobody waits for one.
    """

    traffic: tuple[TrafficShare, ...] = ()
    uses: tuple[str, ...] = ()
    ingress: Ingress = "all"
    timeout_s: int = 300
    session_affinity: bool = False
    stopped: bool = False
    handling: Handling = field(default_factory=Handling)
    limits: Limits = field(default_factory=Limits)
    fallback: Fallback = field(default_factory=Fallback)


@dataclass(frozen=True, slots=True)
class GatewayPath:
    """A part of a host in the gateway's snapshot: as `PathRoute`, with the key of the service that answers it."""

    path: str
    service: str
    rewrite: str = ""


@dataclass(frozen=True, slots=True)
class GatewayEndpoints:
    """Where a revision's ready instances answer, as `address:port`."""

    addresses: tuple[str, ...] = ()
    protocol: Literal["http1", "h2c"] = "http1"
    concurrency: int = 80


@dataclass(frozen=True, slots=True)
class GatewaySnapshot:
    """Everything the gateway needs to route, in one message; a higher generation replaces a lower one.

    `services` is keyed by `tenant/service`, `hosts` maps a public host to such a key and `paths` to the parts of it
    that others answer, `endpoints` is keyed by `tenant/revision`, and `callers` maps an instance's address to the key
    of the service it belongs to.
    """

    generation: int
    services: Mapping[str, GatewayService] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, GatewayEndpoints] = field(default_factory=dict)
    callers: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, tuple[GatewayPath, ...]] = field(default_factory=dict)
    version: int = VERSION


__all__ = [
    "CertificateRequest",
    "CertificateStatus",
    "Fallback",
    "GatewayEndpoints",
    "GatewayPath",
    "GatewayService",
    "GatewaySnapshot",
    "Handling",
    "Ingress",
    "Limits",
    "OrchestratorStatus",
    "PathRoute",
    "Probe",
    "ProbeKind",
    "RevisionSpec",
    "RevisionStatus",
    "RollbackRequest",
    "RolloutRequest",
    "RouteRequest",
    "ServiceStatus",
    "ShiftStatus",
    "TemplateSpec",
    "TlsSettings",
    "TrafficShare",
    "decode",
    "encode",
    "fields_of",
]
