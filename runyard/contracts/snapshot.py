"""Snapshot messages: everything that the gateway needs to route, and what of it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION
from runyard.contracts.rollout import TrafficShare
from runyard.contracts.route import Breaker, Fallback, Handling, Ingress, Limits, Retries


@dataclass(frozen=True, slots=True)
class GatewayService:
    """A service in the gateway's snapshot; `uses` names what its instances may call, within its tenant.

    `session_affinity` keeps a client on the revision and instance that it met first. `stopped` says that it has no
    instances on purpose, so that nobody waits for one. Until `paused_until_unix_s`, in seconds since 1970, its requests
    are kept from its instances; 0 is no pause.
    """

    traffic: tuple[TrafficShare, ...] = ()
    uses: tuple[str, ...] = ()
    ingress: Ingress = "all"
    timeout_s: int = 300
    session_affinity: bool = False
    stopped: bool = False
    paused_until_unix_s: int = 0
    handling: Handling = field(default_factory=Handling)
    limits: Limits = field(default_factory=Limits)
    fallback: Fallback = field(default_factory=Fallback)
    retries: Retries = field(default_factory=Retries)
    breaker: Breaker = field(default_factory=Breaker)


@dataclass(frozen=True, slots=True)
class GatewayPath:
    """A part of a host in the gateway's snapshot: as `PathRoute`, with the key of the service that answers it."""

    path: str
    service: str
    rewrite: str = ""


@dataclass(frozen=True, slots=True)
class GatewayEndpoints:
    """Where a revision's ready instances answer, as `address:port`.

    Without any, its requests are held and wake the orchestrator. `start_timeout_s` is above 0 for a revision that may
    sleep: so long, in seconds, a request waits for its first instance; 0 leaves that to the gateway's own time.
    """

    addresses: tuple[str, ...] = ()
    protocol: Literal["http1", "h2c"] = "http1"
    concurrency: int = 80
    start_timeout_s: int = 0


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


@dataclass(frozen=True, slots=True)
class GatewayRemovals:
    """The keys that go, of each map of a snapshot; sorted."""

    services: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayDelta:
    """Makes the snapshot of generation `base` that of `generation`, by the entries that changed or are new.

    The gateway takes it if `base` is what it has in force, wholly or not at all; otherwise it needs a snapshot.
    """

    base: int
    generation: int
    services: Mapping[str, GatewayService] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, GatewayEndpoints] = field(default_factory=dict)
    callers: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, tuple[GatewayPath, ...]] = field(default_factory=dict)
    removed: GatewayRemovals = field(default_factory=GatewayRemovals)
    version: int = VERSION
