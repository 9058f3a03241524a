"""Snapshot message: everything that the gateway needs to route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from runyard.codec import VERSION
from runyard.contracts.rollout import TrafficShare
from runyard.contracts.route import Fallback, Handling, Ingress, Limits


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
