"""Messages between Runyard's parts, versioned.

They are the labels on templates, the requests to the orchestrator, its status, and the snapshot that it pushes
to the gateway. Every message is a frozen dataclass; `encode` gives
canonical JSON (sorted keys, no spaces) and `decode` gives the message back or raises `ContractError` naming the
field. A field with a default may be absent, so a newer reader understands an older writer; an unknown field is
refused, so an older reader never guesses.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from runyard.errors import ContractError

VERSION = 1

Message = TypeVar("Message")

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
    `request_buffering`, bodies pass both ways as they come.
    """

    response_start_s: int = 0
    idle_s: int = 0
    max_request_bytes: int = 0
    max_response_bytes: int = 0
    request_buffering: bool = True


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Asks the orchestrator to answer these hosts with this service, and to let it call those in `uses`.

    A host may begin with `*.`, which stands for one label, and `*` alone is every host that nobody else answers.
    """

    tenant: str
    service: str
    hosts: tuple[str, ...]
    uses: tuple[str, ...] = ()
    ingress: Ingress = "all"
    timeout_s: int = 300
    session_affinity: bool = False
    paths: tuple[PathRoute, ...] = ()
    handling: Handling = field(default_factory=Handling)
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


def encode(message: Any) -> str:
    """Encode a message as canonical JSON: keys sorted, no spaces, equal messages give equal text."""
    return json.dumps(dataclasses.asdict(message), sort_keys=True, separators=(",", ":"))


def decode(kind: type[Message], text: str | bytes) -> Message:
    """Decode JSON into a message of this kind; ContractError names the field that does not fit."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContractError(f"decode {kind.__name__}: not JSON: {error}") from None
    message: Message = _build(kind, value, kind.__name__)
    version = getattr(message, "version", VERSION)
    if version != VERSION:
        raise ContractError(f"decode {kind.__name__}: version: must be {VERSION}, got {version}")
    return message


def fields_of(kind: type) -> frozenset[str]:
    """List the names of a message's fields."""
    return frozenset(each.name for each in dataclasses.fields(kind))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, value: Any, path: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(arm for arm in get_args(kind) if arm is not types.NoneType)
        return None if value is None else _build(inner, value, path)
    if origin is Literal:
        return _expect(value in get_args(kind), value, path, f"one of {', '.join(map(str, get_args(kind)))}")
    if origin is tuple:
        return _build_tuple(get_args(kind), value, path)
    if origin is Mapping:
        _expect(isinstance(value, dict), value, path, "an object")
        return {key: _build(get_args(kind)[1], item, f"{path}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, path)
    # bool is an int to Python, but never to us.
    return _expect(type(value) is kind, value, path, f"of type {kind.__name__}")


def _build_tuple(arms: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list), value, path, "a list")
    if len(arms) == 2 and arms[1] is Ellipsis:
        return tuple(_build(arms[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    _expect(len(value) == len(arms), value, path, f"a list of {len(arms)}")
    return tuple(
        _build(arm, item, f"{path}[{index}]") for index, (arm, item) in enumerate(zip(arms, value, strict=True))
    )


def _build_dataclass(kind: Any, value: Any, path: str) -> Any:
    _expect(isinstance(value, dict), value, path, "an object")
    known = {each.name: each for each in dataclasses.fields(kind)}
    for name in sorted(value.keys() - known.keys()):
        raise ContractError(f"decode {path}: unknown field {name!r}")
    for name, each in known.items():
        required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise ContractError(f"decode {path}: field {name!r} is missing")
    hints = _hints(kind)
    return kind(**{name: _build(hints[name], item, f"{path}.{name}") for name, item in value.items()})


def _expect(holds: bool, value: Any, path: str, rule: str) -> Any:
    if not holds:
        raise ContractError(f"decode {path}: must be {rule}, got {value!r}")
    return value


__all__ = [
    "GatewayEndpoints",
    "GatewayPath",
    "GatewayService",
    "GatewaySnapshot",
    "Handling",
    "Ingress",
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
    "TrafficShare",
    "decode",
    "encode",
    "fields_of",
]
