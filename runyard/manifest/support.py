"""Support of each field by the running platform: one table, from which warnings and docs/manifest.md are made.

A path names a field and everything below it that is not named itself; `[]` is every item of a list, and an
annotation stands under its place. What is in no group is carried out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from runyard.manifest.problems import Findings, Path
from runyard.manifest.support_values import check_values

Level = Literal["supported", "limited", "later", "kept"]

_METADATA = "metadata"
_SERVICE = "metadata.annotations"
_TEMPLATE = "spec.template.metadata.annotations"
_POD = "spec.template.spec"
_CONTAINER = _POD + ".containers[]"
_CONTAINERS = (_CONTAINER, _POD + ".initContainers[]")
_OF_THE_STACK = "of a ConfigMap among the manifests, or the stack's secret of the same name, which counts more"

# Carried out in part, or always as if it were set; the note says which.
LIMITED: dict[str, str] = {
    **{
        f"{container}.{field}": note
        for container in _CONTAINERS
        for field, note in {
            "securityContext.runAsNonRoot": "only with runAsUser; the image's own user is not checked",
            "securityContext.runAsGroup": "only with runAsUser",
            "securityContext.capabilities": "all capabilities are always dropped",
            "securityContext.seccompProfile": "the engine's default filter is always on",
            "env[].valueFrom.configMapKeyRef": _OF_THE_STACK,
            "envFrom[].configMapRef": _OF_THE_STACK,
            "resources.requests": "CPU is the weight where CPU is short; memory is checked against the limit",
            "volumeMounts[].readOnly": "files of secrets and config maps are the container's own copy, in memory",
        }.items()
    },
    f"{_POD}.imagePullSecrets": "images are brought with what docker login knows of their registry",
    f"{_POD}.volumes[].configMap": _OF_THE_STACK,
    f"{_POD}.volumes[].emptyDir": "always memory (tmpfs)",
    f"{_POD}.volumes[].projected.sources[].configMap": _OF_THE_STACK,
    f"{_TEMPLATE}|run.googleapis.com/cpu-throttling": "billing goes by it; an instance has its CPU all the time",
    f"{_SERVICE}|run.googleapis.com/ingress": "internal-and-cloud-load-balancing is all: the gateway is the balancer",
}
# Accepted and modelled, and not carried out yet: one warning each.
LATER: tuple[str, ...] = (
    f"{_SERVICE}|run.googleapis.com/invoker-iam-disabled",
    f"{_SERVICE}|run.googleapis.com/iap-enabled",
    f"{_SERVICE}|run.googleapis.com/custom-audiences",
    f"{_POD}.serviceAccountName",
    f"{_POD}.nodeSelector",
    *(f"{container}.imagePullPolicy" for container in _CONTAINERS),
    *(f"{container}.resources.limits|nvidia.com/gpu" for container in _CONTAINERS),
)
# Known, kept as they are, without any effect here: one warning each.
KEPT: tuple[str, ...] = (
    "status",
    *(f"{_METADATA}.{key}" for key in ("uid", "generation", "resourceVersion", "creationTimestamp", "selfLink")),
    *(f"{_METADATA}.{key}" for key in ("finalizers", "ownerReferences", "clusterName", "managedFields")),
    "spec.template.metadata.creationTimestamp",
    f"{_POD}.enableServiceLinks",
    f"{_POD}.automountServiceAccountToken",
    *(f"{container}.terminationMessagePath" for container in _CONTAINERS),
    *(f"{container}.terminationMessagePolicy" for container in _CONTAINERS),
    *(f"{container}.resources.limits.ephemeral-storage" for container in _CONTAINERS),
    *(f"{container}.resources.requests.ephemeral-storage" for container in _CONTAINERS),
    *(
        f"{_SERVICE}|{name}"
        for name in (
            *("run.googleapis.com/description", "run.googleapis.com/launch-stage", "run.googleapis.com/client-name"),
            *("run.googleapis.com/client-version", "run.googleapis.com/gc-traffic-tags"),
            *("run.googleapis.com/ingress-status", "run.googleapis.com/operation-id", "run.googleapis.com/urls"),
            *("run.googleapis.com/binary-authorization", "run.googleapis.com/binary-authorization-breakglass"),
            *("serving.knative.dev/creator", "serving.knative.dev/lastModifier"),
        )
    ),
    *(
        f"{_TEMPLATE}|{name}"
        for name in (
            # The gateway is in front of every instance, and holds whatever finds no place.
            "autoscaling.knative.dev/target-burst-capacity",
            *("run.googleapis.com/execution-environment", "run.googleapis.com/description"),
            *("run.googleapis.com/launch-stage", "run.googleapis.com/client-name", "run.googleapis.com/client-version"),
            *("run.googleapis.com/operation-id", "run.googleapis.com/vpc-access-connector"),
            *("run.googleapis.com/vpc-access-egress", "run.googleapis.com/network-interfaces"),
            *("run.googleapis.com/cloudsql-instances", "run.googleapis.com/encryption-key"),
            *("run.googleapis.com/encryption-key-shutdown-hours", "run.googleapis.com/gpu-zonal-redundancy"),
            *("run.googleapis.com/post-key-revocation-action-type",),
            *("serving.knative.dev/creator", "serving.knative.dev/lastModifier"),
        )
    ),
)

Trie = dict[str, "Trie | Level"]


def level_of(path: str) -> tuple[Level, str]:
    """Tell how far a field is supported, by the longest path of the table that it is or stands below, with the note."""
    best: tuple[int, Level, str] = (-1, "supported", "")
    groups: tuple[tuple[Level, dict[str, str]], ...] = (
        ("limited", LIMITED),
        ("later", dict.fromkeys(LATER, "accepted, not carried out yet")),
        ("kept", dict.fromkeys(KEPT, "kept, has no effect here")),
    )
    for level, group in groups:
        for prefix, note in group.items():
            below = path == prefix or path.startswith((f"{prefix}.", f"{prefix}[", f"{prefix}|"))
            if below and len(prefix) > best[0]:
                best = (len(prefix), level, note)
    return best[1], best[2]


def check_support(data: Any, findings: Findings) -> None:
    """Warn once of each field of a Service that is kept or not carried out yet."""
    told: set[str] = set()
    # An explicit stack of data, what the table knows below it, and its path.
    stack: list[tuple[Any, Trie, Path]] = [(data, _trie(), ())]
    while stack:
        value, known, path = stack.pop()
        if type(value) is list and "[]" in known:
            below = known["[]"]
            if isinstance(below, dict):
                stack.extend((item, below, (*path, index)) for index, item in reversed(list(enumerate(value))))
        elif type(value) is dict:
            for key in known.keys() & value.keys():
                below = known[key]
                if isinstance(below, dict):
                    stack.append((value[key], below, (*path, key)))
                else:
                    _warn(below, (*path, key), told, findings)
    check_values(data, findings)


def _warn(level: Level, path: Path, told: set[str], findings: Findings) -> None:
    name = ".".join("[]" if isinstance(part, int) else part for part in path)
    if name in told:
        return
    told.add(name)
    if level == "kept":
        findings.warning(path, "support.kept", "kept, has no effect here")
    else:
        findings.warning(path, "support.later", "accepted, not carried out yet")


@lru_cache(maxsize=1)
def _trie() -> Trie:
    """Turn the warned-of paths into nested mappings, to walk data and table together."""
    root: Trie = {}
    levels: tuple[tuple[Level, tuple[str, ...]], ...] = (("later", LATER), ("kept", KEPT))
    for level, paths in levels:
        for path in paths:
            fields, _, annotation = path.partition("|")
            parts = fields.replace("[]", ".[]").split(".") + ([annotation] if annotation else [])
            node = root
            for part in parts[:-1]:
                below = node.setdefault(part, {})
                node = below if isinstance(below, dict) else {}
            node[parts[-1]] = level
    return root
