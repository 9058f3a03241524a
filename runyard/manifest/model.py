"""Manifests as typed, frozen data: what a Service, Platform or Tenant says, with every default filled in.

Quantities are in base units: CPU in thousandths of a core, memory in bytes, time in seconds. Field names
follow Knative's, in Python's spelling. Nothing here knows YAML, and nothing here checks: a value of these
types has passed `runyard.manifest.load`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.accounts import Member, Quotas

# Of the contracts, because the orchestrator and the gateway speak of them too, and import nothing of manifests.
from runyard.contracts import Breaker as Breaker
from runyard.contracts import Budget as Budget
from runyard.contracts import Fallback as Fallback
from runyard.contracts import Ingress as Ingress
from runyard.contracts import InstanceLimits, ScalingSignal, ScheduledMinimum
from runyard.contracts import Objective as Objective
from runyard.contracts import PathRoute as PathRoute
from runyard.contracts import Probe as Probe
from runyard.contracts import ProbeKind as ProbeKind
from runyard.contracts import Retries as Retries
from runyard.contracts.scaling import (
    PANIC_THRESHOLD_PERCENT,
    PANIC_WINDOW_PERCENT,
    PRIORITY,
    WINDOW_S,
    Aggregation,
    IdleMode,
)
from runyard.location import Location as Location
from runyard.manifest.firewall import Firewall as Firewall
from runyard.manifest.observability import Logs as Logs
from runyard.manifest.observability import Observability as Observability
from runyard.manifest.observability import Receiver as Receiver
from runyard.manifest.tls import Tls
from runyard.manifest.values import EnvFrom as EnvFrom
from runyard.manifest.values import EnvVar as EnvVar
from runyard.manifest.values import KeyReference as KeyReference
from runyard.manifest.values import Values as Values
from runyard.manifest.volumes import FileSource as FileSource
from runyard.manifest.volumes import PersistentVolume as PersistentVolume
from runyard.manifest.volumes import Volume as Volume
from runyard.manifest.volumes import VolumeItem as VolumeItem
from runyard.manifest.volumes import VolumeMount as VolumeMount
from runyard.pricing.prices import PriceBook
from runyard.scaling import counts
from runyard.scaling.schedule import highest

Egress = Literal["all", "none"]
# What a container listens on where nothing else is said (Cloud Run and Knative).
DEFAULT_PORT = 8080
# Writable space that every container has at /tmp although its root is read-only (Knative runtime contract).
TMP_BYTES = 64 * 1024 * 1024
# With less, Cloud Run takes one request at a time and bills by request.
ONE_CPU_MILLIS = 1000


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """The port that receives requests; `protocol` is what the instance speaks on it."""

    number: int = DEFAULT_PORT
    protocol: Literal["http1", "h2c"] = "http1"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a revision; the one with `port` is the ingress container."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    image_pull_policy: Literal["", "Always", "Never", "IfNotPresent"] = ""
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    port: ContainerPort | None = None
    cpu_millis: int = 1000
    # Its weight where CPU is short; None is the limit.
    cpu_request_millis: int | None = None
    memory_bytes: int = 512 * 1024 * 1024
    gpu: int = 0
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool = False
    writable_root: bool = False
    volume_mounts: tuple[VolumeMount, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances a revision may have and what decides the number (Knative's autoscaling annotations).

    The targets of `signals` are for each instance: requests at once or a second, or parts of its CPU and memory limit.
    """

    min_scale: int = 0
    max_scale: int = 100
    signals: tuple[ScalingSignal, ...] = ()
    window_s: int = WINDOW_S
    panic_window_percentage: float = PANIC_WINDOW_PERCENT
    panic_threshold_percentage: float = PANIC_THRESHOLD_PERCENT
    scale_down_delay_s: int = 0
    retention_period_s: int = 0
    initial_scale: int = 1
    activation_scale: int = 1
    aggregation: Aggregation = "linear"
    idle: IdleMode = "stop"


@dataclass(frozen=True, slots=True)
class RevisionTemplate(InstanceLimits):
    """What shapes a revision: `spec.template` of a Service."""

    containers: tuple[Container, ...]
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    # Those that are nobody's settings, of which each is a part of the revision.
    free_annotations: Mapping[str, str] = field(default_factory=dict)
    container_concurrency: int = 80
    timeout_s: int = 300
    response_start_timeout_s: int | None = None
    idle_timeout_s: int = 0
    service_account: str = ""
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    runtime_class: str = ""
    volumes: tuple[Volume, ...] = ()
    # They run one after another before the containers start, and have no port and no probes.
    init_containers: tuple[Container, ...] = ()
    scaling: Scaling = field(default_factory=Scaling)
    progress_deadline_s: int = 600
    cpu_throttling: bool = True
    startup_cpu_boost: bool = False
    tmp_bytes: int = TMP_BYTES
    session_affinity: bool = False
    container_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """Every container of an instance, in the order in which they may start."""
        return (*self.init_containers, *self.containers)

    @property
    def storage_bytes(self) -> int:
        """The size of an instance's emptyDir volumes; one without a size may fill the memory."""
        return sum(
            self.memory_bytes if volume.size_limit_bytes is None else volume.size_limit_bytes
            for volume in self.volumes
            if volume.kind == "emptyDir"
        )

    @property
    def billed_by_request(self) -> bool:
        """Whether time is paid while requests run: always so with less than one CPU, as on Cloud Run."""
        return self.cpu_throttling or self.ingress_container.cpu_millis < ONE_CPU_MILLIS

    @property
    def ingress_container(self) -> Container:
        """The one container that receives requests: the one with a port."""
        return next(container for container in self.containers if container.port is not None)


@dataclass(frozen=True, slots=True)
class TrafficTarget:
    """A share of a service's traffic; `revision` is None for the latest ready one."""

    percent: int
    revision: str | None = None
    tag: str = ""
    location: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a service lets its clients ask for; None is no limit, an empty header tells clients by their address."""

    client_requests_per_second: int | None = None
    client_burst: int | None = None
    client_header: str = ""
    concurrent_requests: int | None = None
    queue_size: int | None = None
    queue_timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A Knative Service; `uses`, `egress` and `persistent_volumes` come from `runyard.dev/` annotations."""

    name: str
    tenant: str
    template: RevisionTemplate
    location: Location
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    traffic: tuple[TrafficTarget, ...] = (TrafficTarget(percent=100),)
    min_scale: int | None = None
    max_scale: int | None = None
    manual_instance_count: int | None = None
    # Fewest instances from certain moments on, beside `min_scale`.
    schedule: tuple[ScheduledMinimum, ...] = ()
    priority: int = PRIORITY
    ingress: Ingress = "all"
    require_caller_auth: bool = False
    custom_audiences: tuple[str, ...] = ()
    rollout_duration_s: int = 0
    uses: tuple[str, ...] = ()
    egress: Egress = "all"
    persistent_volumes: tuple[PersistentVolume, ...] = ()
    # Whether the gateway keeps responses that allow it.
    cache: bool = False
    max_requests_per_second: int | None = None
    routes: tuple[PathRoute, ...] = ()
    max_request_bytes: int | None = None
    max_response_bytes: int | None = None
    request_buffering: bool = True
    request_limits: RequestLimits = field(default_factory=RequestLimits)
    fallback: Fallback = field(default_factory=Fallback)
    retries: Retries = field(default_factory=Retries)
    breaker: Breaker = field(default_factory=Breaker)
    objective: Objective = field(default_factory=Objective)

    @property
    def persistent_bytes(self) -> int:
        """The size of its persistent volumes, which stay whether or not instances run."""
        return sum(volume.size_bytes for volume in self.persistent_volumes)

    @property
    def scale(self) -> tuple[int, int | None]:
        """Fewest and most instances that run of all its revisions in traffic; None is no limit.

        A revision that is named counts with the template's own settings: its earlier ones are not in the manifest. The
        fewest are those of the time for which a schedule asks for the most.
        """
        settings = self._counts(highest(self.schedule))
        return self._scale(settings, settings.held)

    @property
    def asked_scale(self) -> tuple[int, int | None]:
        """As `scale`, with no more kept than its settings ask for: what is paid, as on Cloud Run."""
        return self._scale(self._counts(highest(self.schedule)))

    def asked_least(self, scheduled: int) -> int:
        """Fewest instances that are paid while its schedule asks for so many at least."""
        return self._scale(self._counts(scheduled))[0]

    def _scale(self, settings: counts.Settings, kept: int = 0) -> tuple[int, int | None]:
        span = counts.service_span(settings, self._shares(), kept)
        return span.least, span.most

    def _counts(self, scheduled: int) -> counts.Settings:
        return counts.Settings(
            least=self.template.scaling.min_scale,
            most=self.template.scaling.max_scale,
            service_least=max(self.min_scale or 0, scheduled),
            service_most=self.max_scale or 0,
            by_hand=self.manual_instance_count,
            freezes=self.template.scaling.idle == "freeze",
        )

    def _shares(self) -> tuple[int, ...]:
        """Give the percent of each revision that the traffic names, tags without a share too."""
        shares: dict[str | None, int] = {}
        for target in self.traffic:
            # One with neither is what Cloud Run's exports list, and runs nothing.
            if target.percent or target.tag:
                shares[target.revision] = shares.get(target.revision, 0) + target.percent
        return tuple(shares.values())


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the platform's gateway listens, how long it waits, and whether it names callers by signed tokens.

    `h2c_port` takes HTTP/2 without TLS, and is None when nothing does. `default_backend` is the `tenant/service` that
    answers hosts that nobody else does; empty for none.
    """

    address: str = "127.0.0.1"
    port: int = 3000
    connect_timeout_s: int = 2
    hold_timeout_s: int = 10
    max_body_bytes: int = 32 * 1024 * 1024
    h2c_port: int | None = None
    default_backend: str = ""
    # Whether responses get the security headers that their instance did not set, and those of text are compressed.
    security_headers: bool = True
    compression: bool = True
    caller_identity: bool = False
    tls: Tls = field(default_factory=Tls)

    def url(self, host: str) -> str:
        """Give the address of a host as clients are to call it: over TLS where there is TLS."""
        scheme, port, usual = ("https", self.tls.port, 443) if self.tls.on else ("http", self.port, 80)
        return f"{scheme}://{host}/" if port == usual else f"{scheme}://{host}:{port}/"


@dataclass(frozen=True, slots=True)
class Revisions:
    """How many earlier revisions of a service stay without traffic, so that it can go back to them."""

    kept: int = 5


@dataclass(frozen=True, slots=True)
class Idle:
    """What becomes of the services that nobody calls, and how long the last instance is kept, unless they say it."""

    mode: IdleMode = "stop"
    retention_s: int = 0


@dataclass(frozen=True, slots=True)
class Platform:
    """The installation: domain, gateway, ports, address pool, revisions, firewall, ledger, console, defaults."""

    name: str = "platform"
    domain: str = "localhost"
    gateway: Gateway = field(default_factory=Gateway)
    orchestrator_port: int = 3001
    billing: Literal["on", "off"] = "off"
    billing_port: int = 3002
    console: Literal["on", "off"] = "off"
    console_port: int = 3003
    address_pool: str = "10.128.0.0/9"
    engine: Literal["docker", "swarm"] = "docker"
    revisions: Revisions = field(default_factory=Revisions)
    firewall: Firewall = field(default_factory=Firewall)
    idle: Idle = field(default_factory=Idle)
    observability: Observability = field(default_factory=Observability)
    # Whether containers may have a root that they can write, on the host's disk and without a limit.
    writable_roots: bool = False
    location: Location | None = None
    # Where each key of `spec.gateway` was said; no part of what was said.
    places: Mapping[str, Location] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A team whose services share a network; `subnet` is None when it is derived from the name.

    `allowed_registries` are prefixes of image names, none being no limit; `budget` is None when there is none.
    """

    name: str
    subnet: str | None = None
    location: Location | None = None
    quotas: Quotas = field(default_factory=Quotas)
    budget: Budget | None = None
    allowed_registries: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    # Whom alerts of its services are told to, beside the Platform's.
    receivers: tuple[Receiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifests:
    """Everything that was read, ordered by tenant and name; `default` is always among the tenants.

    `price_book` is None when none was given; `runyard.manifest.pricebook.default_book` is then the one to use.
    """

    platform: Platform
    tenants: tuple[Tenant, ...]
    services: tuple[Service, ...]
    price_book: PriceBook | None = None
    values: tuple[Values, ...] = ()
