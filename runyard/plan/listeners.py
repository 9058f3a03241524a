"""Listeners: every address and port at which the platform's parts listen, and that no two of them are one; pure.

The manifest's own rules tell of ports that its keys give twice; what is left shows only when the addresses are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runyard import names
from runyard.errors import ManifestError
from runyard.manifest.model import Location, Platform
from runyard.manifest.problems import Problem

# edge answers public hosts, internal answers instances, status answers readers on the host.
ListenerKind = Literal["edge", "internal", "status"]
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """An address and port of the host; `said` are the keys of `spec.gateway` that may say it, the first given counts.

    `http2` without `tls` is HTTP/2 with prior knowledge (h2c), and nothing else.
    """

    kind: ListenerKind
    host: str
    port: int
    http2: bool = False
    tls: bool = False
    said: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Host and port as one text."""
        return f"{self.host}:{self.port}"


def plan_gateway_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where the gateway takes requests; `inner_address` is the host's on the platform's bridge."""
    said = platform.gateway
    edge = [ListenerPlan("edge", said.address, said.port, said=("address", "port"))]
    if said.h2c_port is not None:
        edge.append(ListenerPlan("edge", said.address, said.h2c_port, http2=True, said=("h2cPort",)))
    if said.tls.on:
        edge.append(ListenerPlan("edge", said.address, said.tls.port, tls=True, said=("tls",)))
    # What instances call as `http://<service>.internal`, and their gRPC clients as `<service>.internal:81`.
    inner = [
        ListenerPlan("internal", inner_address, names.INTERNAL_PORT),
        ListenerPlan("internal", inner_address, names.INTERNAL_H2C_PORT, http2=True),
    ]
    if said.caller_identity:
        inner.append(ListenerPlan("internal", inner_address, names.INTERNAL_TLS_PORT, tls=True))
    return (*edge, *inner)


def plan_orchestrator_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where the orchestrator shows its status."""
    return (ListenerPlan("status", _LOOPBACK, platform.orchestrator_port),)


def plan_meter_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where the meter tells what it has counted."""
    return (ListenerPlan("status", _LOOPBACK, platform.observability.meter_port),)


def plan_prometheus_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where Prometheus answers."""
    return (ListenerPlan("status", _LOOPBACK, platform.observability.prometheus_port),)


def plan_alertmanager_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where Alertmanager answers."""
    return (ListenerPlan("status", _LOOPBACK, platform.observability.alertmanager_port),)


def plan_logs_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where the logs' part tells how it is."""
    return (ListenerPlan("status", _LOOPBACK, platform.observability.logs.port),)


def plan_billing_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where the ledger shows usage, cost and metrics."""
    return (ListenerPlan("status", _LOOPBACK, platform.billing_port),)


def plan_console_listeners(platform: Platform, inner_address: str) -> tuple[ListenerPlan, ...]:
    """Plan where the console answers browsers and programs."""
    return (ListenerPlan("status", _LOOPBACK, platform.console_port),)


def check_apart(platform: Platform, listeners: Iterable[ListenerPlan]) -> None:
    """Refuse two listeners on one address and port; ManifestError names both and where the second was said."""
    taken: dict[str, ListenerPlan] = {}
    problems = []
    for listener in listeners:
        other = taken.setdefault(listener.address, listener)
        if other is not listener:
            # Of the two, what nobody said cannot be changed.
            movable = next((each for each in (listener, other) if each.said), listener)
            key = next((each for each in movable.said if each in platform.places), "")
            problems.append(
                Problem(
                    location=platform.places.get(key) or platform.location or Location("manifests", 1, 1),
                    path=f"spec.gateway.{key}" if key else "spec",
                    message=(
                        "listeners must have different addresses, "
                        f"got {listener.address} for {other.kind} and {listener.kind}"
                    ),
                    rule="platform.ports",
                )
            )
    if problems:
        raise ManifestError(problems)
