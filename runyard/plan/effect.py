"""Effects of changes on running traffic: none, a restart or a gap, each with its reason; pure.

The table is of the fields that previews and reviews show: a document (or a part of the platform) and a path in it. The
longest path that a change is or stands below counts. What the table does not name is carried out by data in the
gateway or by a new revision beside the old one, and costs no request. Anything else needs a reason that leaves no other
way: Docker cannot change a container's image, environment or memory, nor a network's subnet, without making it anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

# none: no request fails or waits for it. restart: connections are cut and refused for under a second, then all is as
# before. gap: requests fail until something else is done, or for longer than a restart takes.
EffectKind = Literal["none", "restart", "gap"]
Operation = Literal["add", "remove", "change"]
Document = Literal["Gateway", "Network", "Orchestrator", "Platform", "PriceBook", "Service", "Tenant"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to the traffic that runs while it is made, and why."""

    kind: EffectKind
    reason: str


_REVISION = Effect("none", "a new revision is ready before it gets traffic, and the old one drains")
_DATA = Effect("none", "data in the gateway, changed between two requests without a reload")
_NOT_RUNNING = Effect("none", "nothing that runs depends on it")
_NEW = Effect("none", "nothing ran there before")
# 0.46 s from the old container's last answer to the new one's first, measured under 1,000 requests a second.
_GATEWAY = Effect("restart", "Docker makes the gateway's container anew for it: about half a second without answers")
# Measured by the design's trial: 1 to 5 of 12,000 keep-alive POSTs over ten reloads.
_RELOAD = Effect(
    "restart",
    "new workers take over without refusing a connection; a few keep-alive requests of that moment may be cut",
)
_LISTENER = Effect("gap", "the gateway moves to another address or port: clients that use the old one are refused")
_ORCHESTRATOR = Effect("none", "the gateway and the instances go on without the orchestrator until it is back")
_SUBNET = Effect("gap", "Docker cannot change a network's subnet: its instances end before it is made anew")
_HOSTS = Effect("gap", "the hosts of all services change: the old ones are answered 404")
_REMOVED = Effect("gap", "its hosts are answered 404 from then on, as asked; what is under way finishes first")
_COUNTS = Effect("none", "instances come or go at once, without a new revision; those that go drain first")
_STOPPED = Effect("gap", "no instances are left: requests are answered 503 from then on, as asked")
_CLOSED = Effect("gap", "clients from outside are answered 404 from then on, as asked")

_FIELDS: dict[tuple[Document, str], Effect] = {
    ("Gateway", ""): _GATEWAY,
    ("Gateway", "address"): _LISTENER,
    ("Gateway", "configuration"): _RELOAD,
    ("Gateway", "domain"): _HOSTS,
    ("Gateway", "port"): _LISTENER,
    ("Network", ""): _SUBNET,
    ("Network", "quotas"): _NOT_RUNNING,
    ("Orchestrator", ""): _ORCHESTRATOR,
    ("Platform", ""): _NOT_RUNNING,
    ("Platform", "addressPool"): _SUBNET,
    ("Platform", "domain"): _HOSTS,
    ("Platform", "gateway"): _RELOAD,
    ("Platform", "gateway.address"): _LISTENER,
    ("Platform", "gateway.defaultBackend"): _DATA,
    ("Platform", "gateway.port"): _LISTENER,
    ("Platform", "gateway.tls.port"): _LISTENER,
    ("Platform", "orchestratorPort"): _ORCHESTRATOR,
    ("PriceBook", ""): _NOT_RUNNING,
    ("Service", ""): _REVISION,
    ("Service", "annotations"): _NOT_RUNNING,
    ("Service", "idleTimeoutSeconds"): _DATA,
    ("Service", "cache"): _DATA,
    ("Service", "ingress"): _DATA,
    ("Service", "labels"): _NOT_RUNNING,
    ("Service", "manualInstanceCount"): _COUNTS,
    ("Service", "maxRequestBytes"): _DATA,
    ("Service", "maxResponseBytes"): _DATA,
    ("Service", "maxScale"): _COUNTS,
    ("Service", "minScale"): _COUNTS,
    ("Service", "requestBuffering"): _DATA,
    ("Service", "responseStartTimeoutSeconds"): _DATA,
    ("Service", "rolloutDurationSeconds"): Effect("none", "it says how the next rollout moves the shares"),
    ("Service", "routes"): _DATA,
    ("Service", "sessionAffinity"): _DATA,
    ("Service", "maxRequestsPerSecond"): _DATA,
    ("Service", "requestLimits"): _DATA,
    ("Service", "fallback"): _DATA,
    ("Service", "timeoutSeconds"): _DATA,
    ("Service", "traffic"): Effect("none", "every revision named is ready before the shares move, in one step"),
    ("Tenant", ""): _NOT_RUNNING,
    ("Tenant", "quotas.requestsPerSecond"): _DATA,
    ("Tenant", "subnet"): _SUBNET,
}
_ORDER: tuple[EffectKind, ...] = ("none", "restart", "gap")


def effect_of(document: Document, path: str, op: Operation = "change", after: Any = None) -> Effect:
    """Tell what a change of one field does; an empty path is the whole document, `after` its value if it has one."""
    if not path:
        if op == "add":
            return _NEW
        if op == "remove":
            return _REMOVED if document == "Service" else _NOT_RUNNING
    if (document, path, after) == ("Service", "ingress", "internal"):
        return _CLOSED
    if (document, path, after) == ("Service", "manualInstanceCount", 0):
        return _STOPPED
    while path and (document, path) not in _FIELDS:
        # Dots and brackets part a path as `render_path` writes it; a key that holds one only shortens it in more steps.
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return _FIELDS[document, path]


def worst(effects: Iterable[Effect]) -> Effect | None:
    """Give the effect that hurts most, the first of equals; None if nothing changes."""
    return max(effects, key=lambda each: _ORDER.index(each.kind), default=None)
