"""Table of effects: what each change of a field does to running traffic, and why; pure.

The table is of the fields that components show of themselves, which previews and reviews compare: a document and a path
in it. The longest path that a change is or stands below counts, and whether the key comes, goes or changes. What takes
away a route, a tag, a listener or a declared call is a gap, as the removal of a service is: it is refused from then on.
A restart needs a reason that leaves no other way: Docker cannot change a container's image, environment or memory, nor
a network's subnet, without making it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from runyard.plan.effect import Effect
from runyard.plan.part import BesideKind, Part
from runyard.plan.parts import PARTS

Operation = Literal["add", "remove", "change"]
# A kind of component: Network, Service, or that of a part of the platform.
Document = str


class Row(NamedTuple):
    """What a field's change does; `add` and `remove` are of a key that comes or goes, where that differs."""

    change: Effect
    add: Effect | None = None
    remove: Effect | None = None


_REVISION = Effect("none", "a new revision is ready before it gets traffic, and the old one drains")
_STOP_FIRST = Effect(
    "gap",
    "its volume has one writer: the old instance ends before the new one starts; requests wait, and in vain get 503",
)
_DATA = Effect("none", "data in the gateway, changed between two requests without a reload")
_NOT_RUNNING = Effect("none", "nothing that runs depends on it")
_JUDGED = Effect("none", "alerts are judged by it from then on")
_NEW = Effect("none", "nothing ran there before")
_PRIORITY = Effect("none", "it counts while the host is full, for which of its tenant's services have instances first")
_COUNTS = Effect("none", "instances come or go at once, without a new revision; those that go drain first")
_NEXT_ROLLOUT = Effect("none", "it says how the next rollout moves the shares")
_SHARES = Effect("none", "every revision named is ready before the shares move, in one step")
# Measured by the design's trial: 1 to 5 of 12,000 keep-alive POSTs over ten reloads.
_RELOAD = Effect(
    "restart",
    "new workers take over without refusing a connection; a few keep-alive requests of that moment may be cut",
)
_LISTENER = Effect("gap", "the gateway leaves an address or port: clients that use it are refused")
_NAMELESS = Effect("gap", "callees that want a token, and instances that ask for metadata or TLS, get none, as asked")
_TO_TLS = Effect("gap", "plain HTTP is answered 308 to TLS from then on: clients that do not follow get no service")
_AUTHORITY = Effect("gap", "certificates come from elsewhere: clients that do not trust who signs them now go away")
_RULES = Effect("none", "the new rules take the place of the old ones between two packets; open connections go on")
_SUBNET = Effect("gap", "Docker cannot change a network's subnet: its instances end before it is made anew")
_HOSTS = Effect("gap", "the hosts of all services change: the old ones are answered 404")
_REMOVED = Effect("gap", "its hosts are answered 404 from then on, as asked; what is under way finishes first")
_UNROUTED = Effect("gap", "what it took is answered 404 from then on, as asked, unless another route takes it")
_UNKNOWN_HOSTS = Effect("gap", "hosts that nobody else answers are answered 404 from then on, as asked")
_UNTAGGED = Effect("gap", "the tag's host is answered 404 from then on, as asked")
_UNDECLARED = Effect("gap", "the new revision is refused what it no longer declares with 403, as asked")
_STOPPED = Effect("gap", "no instances are left: requests are answered 503 from then on, as asked")
_CLOSED = Effect("gap", "clients from outside are answered 404 from then on, as asked")

# What every part shows of its container.
_CONTAINER = (
    *("binds", "capabilities", "environment", "host_reads", "image"),
    *("memory_mib", "memory_mounts", "read_only", "tmp_mib", "volumes"),
)
# What a part shows of that which it has beside its container.
_BESIDE: Mapping[BesideKind, Mapping[str, Effect | Row]] = {
    "configuration": {
        "address": _LISTENER,
        "callerIdentity": Row(_NAMELESS, add=_RELOAD),
        "configuration": _RELOAD,
        "configuration.https_port": Row(_RELOAD, add=_TO_TLS),
        "defaultBackend": Row(_DATA, remove=_UNKNOWN_HOSTS),
        "domain": _HOSTS,
        "h2cPort": Row(_LISTENER, add=_RELOAD),
        "port": _LISTENER,
        "tls.mode": Row(_AUTHORITY, add=_RELOAD, remove=_LISTENER),
        "tls.port": Row(_LISTENER, add=_RELOAD),
    },
    "key": {},
    "rules": dict.fromkeys(("flowsPerInstance", "networks", "newFlowsPerSecond"), _RULES),
    "scrapes": {},
    "sweep": {},
    "verifier": {},
}


def _part_rows(part: Part) -> Mapping[str, Effect | Row]:
    rows: dict[str, Effect | Row] = {"": Row(part.effect, add=_NEW, remove=_NOT_RUNNING)}
    rows |= dict.fromkeys(_CONTAINER, part.effect)
    for beside in part.beside:
        rows |= _BESIDE[beside]
    return rows


# An empty path is the whole document, and every other key that its component shows has a row: a test holds that.
EFFECTS: Mapping[Document, Mapping[str, Effect | Row]] = {
    **{part.kind: _part_rows(part) for part in PARTS},
    "Network": {
        "": Row(_SUBNET, add=_NEW, remove=_NOT_RUNNING),
        **dict.fromkeys(("hostAddress", "internal", "isolated", "subnet"), _SUBNET),
        "quotas": _NOT_RUNNING,
    },
    "Service": {
        "": Row(_REVISION, add=_NEW, remove=_REMOVED),
        **dict.fromkeys(
            ("configMaps", "containerConcurrency", "containerDependencies", "containers", "egress", "name"), _REVISION
        ),
        **dict.fromkeys(("initContainers", "initOrder", "network", "persistentVolumes"), _REVISION),
        **dict.fromkeys(
            (
                "progressDeadlineSeconds",
                "revision",
                "runtimeClass",
                "startupCpuBoost",
                "templateAnnotations",
                "templateLabels",
                "tmpBytes",
                "volumes",
            ),
            _REVISION,
        ),
        "scaling": _REVISION,
        # Of these, nothing is carried out yet.
        **dict.fromkeys(("cpuThrottling", "customAudiences", "imagePullSecrets", "nodeSelector"), _NOT_RUNNING),
        **dict.fromkeys(("requireCallerAuth", "serviceAccount"), _NOT_RUNNING),
        **dict.fromkeys(("manualInstanceCount", "maxScale", "minScale", "schedule"), _COUNTS),
        **dict.fromkeys(
            ("breaker", "cache", "fallback", "retries", "idleTimeoutSeconds", "ingress", "maxRequestBytes"), _DATA
        ),
        **dict.fromkeys(("maxRequestsPerSecond", "maxResponseBytes", "requestBuffering", "requestLimits"), _DATA),
        **dict.fromkeys(("responseStartTimeoutSeconds", "sessionAffinity", "timeoutSeconds"), _DATA),
        "objective": _JUDGED,
        "priority": _PRIORITY,
        "rolloutDurationSeconds": _NEXT_ROLLOUT,
        "routes": Row(_DATA, remove=_UNROUTED),
        "tags": Row(_SHARES, remove=_UNTAGGED),
        "traffic": _SHARES,
        "uses": Row(_REVISION, remove=_UNDECLARED),
    },
}
# What a field becomes can matter more than that it changes.
_VALUES: Mapping[tuple[Document, str, Any], Effect] = {
    ("Service", "ingress", "internal"): _CLOSED,
    ("Service", "manualInstanceCount", 0): _STOPPED,
}


def effect_of(document: Document, path: str, op: Operation = "change", after: Any = None) -> Effect:
    """Tell what a change of one field does; an empty path is the whole document, `after` its value if it has one."""
    special = _VALUES.get((document, path, after)) if isinstance(after, str | int) else None
    if special is not None:
        return special
    rows, key = EFFECTS[document], path
    while key and key not in rows:
        # Dots and brackets part a path as `render_path` writes it; a key that holds one only shortens it in more steps.
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    row = rows[key]
    if isinstance(row, Effect):
        return row
    # A field that only a state of another version knows changes its document; that it goes does not remove that.
    judged = op if key or not path else "change"
    return (row.add if judged == "add" else row.remove if judged == "remove" else None) or row.change


def with_one_writer(effect: Effect) -> Effect:
    """Give what a change does to a service whose old and new instance have one persistent volume."""
    return _STOP_FIRST if effect in (_REVISION, _SHARES) else effect
