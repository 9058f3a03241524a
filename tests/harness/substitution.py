"""Substitution: a Service that somebody wrote, with the sample in place of its images, so that it can run here.

What only its own image can answer is put in the sample's words: the paths of its probes, its programs, the ports of its
sidecars. What its host must have, CPU, memory and instances, is made small, and what needs an earlier revision goes.
All else stays as it was written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from runyard.manifest.model import Service
from tests.harness.stack import LIMITS, MINIMUM

SAMPLE = "runyard/hello:1"
# Has programs that end, as init containers do.
ENDING = "debian:bookworm-slim"
_SIDECAR_PORT = 9100
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_COUNTS = ("autoscaling.knative.dev/minScale", "autoscaling.knative.dev/min-scale", "run.googleapis.com/minScale")
# From outside nobody may ask a service that is internal.
_CLOSED = ("run.googleapis.com/ingress", "networking.knative.dev/visibility", "serving.knative.dev/visibility")


def substitute(document: dict[str, Any], tenant: str) -> dict[str, Any]:
    """Give a Service of this tenant that runs the sample."""
    made = copy.deepcopy(document)
    made["metadata"]["namespace"] = tenant
    template = made["spec"]["template"]
    for holder in (made["metadata"], template.setdefault("metadata", {})):
        for kind in ("annotations", "labels"):
            if kind in holder:
                holder[kind] = {key: text for key, text in holder[kind].items() if key not in (*_COUNTS, *_CLOSED)}
    annotations = template["metadata"].setdefault("annotations", {})
    annotations[MINIMUM] = "1"
    made["spec"].pop("traffic", None)
    pod = template["spec"]
    for index, container in enumerate(pod["containers"]):
        alone = len(pod["containers"]) == 1 or "ports" in container
        _use_sample(container, None if alone else _SIDECAR_PORT + index)
    for container in pod.get("initContainers", ()):
        container |= {"image": ENDING, "command": ["true"], "args": [], "resources": {"limits": LIMITS}}
    for volume in pod.get("volumes", ()):
        # It may have more than what the container gets here.
        (volume.get("emptyDir") or {}).pop("sizeLimit", None)
    return made


def _use_sample(container: dict[str, Any], sidecar_port: int | None) -> None:
    for key in ("command", "args", "workingDir"):
        container.pop(key, None)
    container |= {"image": SAMPLE, "resources": {"limits": LIMITS}}
    if sidecar_port is not None:
        others = [each for each in container.get("env") or () if each["name"] != "PORT"]
        container["env"] = [*others, {"name": "PORT", "value": str(sidecar_port)}]
    for name in _PROBES:
        probe = container.get(name)
        if not probe:
            continue
        for handler in ("httpGet", "tcpSocket", "grpc", "exec"):
            if handler in probe:
                own = {} if sidecar_port is None else {"port": sidecar_port}
                kind = "tcpSocket" if handler == "exec" else handler
                del probe[handler]
                probe[kind] = own | ({"path": "/healthz"} if kind == "httpGet" else {})


def values_of(service: Service) -> Iterator[dict[str, Any]]:
    """Give the ConfigMaps and Secrets that a service asks for, with something under every key."""
    wanted: dict[tuple[str, str], set[str]] = {}
    template = service.template
    for container in template.all_containers:
        for variable in container.env:
            if variable.reference is not None:
                found = variable.reference
                wanted.setdefault((found.source, found.name), set()).add(found.key)
        for each in container.env_from:
            wanted.setdefault((each.source, each.name), {"KEY"})
    for source in (each for volume in template.volumes for each in volume.sources):
        keys = wanted.setdefault((source.kind, source.name), set())
        keys |= {item.key for item in source.items} or {"KEY"}
    for (source_kind, name), keys in sorted(wanted.items()):
        kind, where = ("Secret", "stringData") if source_kind == "secret" else ("ConfigMap", "data")
        metadata = {"name": name, "namespace": service.tenant}
        yield {"apiVersion": "v1", "kind": kind, "metadata": metadata, where: dict.fromkeys(sorted(keys), "something")}
