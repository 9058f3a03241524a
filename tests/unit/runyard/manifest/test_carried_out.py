"""Every key of a Service is carried out, refused, or without effect by its nature: a new key fails here until it is.

A key is carried out when another value of it, in the reference manifest, makes another plan, or asks for other values.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.problems import Path as Place
from runyard.manifest.reader import read_documents
from runyard.manifest.reference import list_fields
from runyard.manifest.support import level_of
from runyard.plan import plan
from runyard.plan.secret import describe_missing, values_of_manifests

SERVICE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}
REFERENCE = Path(__file__).parents[4] / "manifests" / "reference.yaml"
FIELDS = {path: field for path, field in list_fields("service") if "not" not in field}
# Those that hold a value and no other keys.
LEAVES = [path for path in FIELDS if not any(each.startswith((f"{path}.", f"{path}[", f"{path}|")) for each in FIELDS)]
_POD = "spec.template.spec"
_CONTAINERS = (f"{_POD}.containers[]", f"{_POD}.initContainers[]")
# What has no effect however it is said, and why that drops nothing.
BY_NATURE = {
    "metadata.labels": "labels of the Service, which is no thing on the host",
    "metadata.annotations|runyard.dev/waive": "of policies, which read it of the Service",
    "metadata.generateName": "the name is given, and counts more (Kubernetes)",
    f"{_POD}.imagePullSecrets[].name": "docker login has the credentials, and whoever has it is warned",
    "spec.traffic[].latestRevision": "says what a missing revisionName says",
    f"{_POD}.volumes[].emptyDir.medium": "memory in both cases",
    **{
        f"{_POD}.containers[].{probe}.successThreshold": "1, and nothing else"
        for probe in ("startupProbe", "livenessProbe")
    },
    **{
        f"{container}.{key}": why
        for container in _CONTAINERS
        for key, why in {
            "env[].valueFrom.fieldRef.apiVersion": "the only one that there is",
            "resources.requests.memory": "checked against the limit, which is kept free for the instance",
            "securityContext.runAsNonRoot": "checked against runAsUser; the image's user is warned of",
            "securityContext.capabilities.drop": "all are dropped",
        }.items()
    },
    # The target that is given counts more than the share of what is usual.
    "spec.template.metadata.annotations|autoscaling.knative.dev/class": "the metric tells which one it is",
}
# Carried out, but no value of them can change alone.
NOT_ALONE = {
    "spec.traffic[].percent": "all together are 100",
    f"{_POD}.volumes[].name": "mounts repeat it",
}
# What may not stand beside a key for its value to count.
BESIDE = {
    f"{_POD}.containers[].name": "run.googleapis.com/container-dependencies",
    "spec.template.metadata.annotations|autoscaling.knative.dev/minScale": "autoscaling.knative.dev/min-scale",
    "spec.template.metadata.annotations|autoscaling.knative.dev/min-scale": "autoscaling.knative.dev/minScale",
    "spec.template.metadata.annotations|autoscaling.knative.dev/maxScale": "autoscaling.knative.dev/max-scale",
    "spec.template.metadata.annotations|autoscaling.knative.dev/max-scale": "autoscaling.knative.dev/maxScale",
}
# Values that a grammar asks for; the first that is accepted and differs is enough.
TEXTS = (
    *("2", "200m", "1Gi", "7s", "150", "0.5", "other", "/other", "closed", "X-Other", "settings", "true"),
    *("2 at 0 9 * * 1-5", "attempts=2", "off", "data=2Gi:/var/lib/data", "web.example.com", '{"helper":["web"]}'),
    *("token:projects/1/secrets/other", "metadata.namespace", "everything-second", "everything-after"),
    *("spec.serviceAccountName", "third", "10Mi", ""),
)
HANDLERS: dict[str, dict[str, Any]] = {
    "httpGet": {"path": "/", "port": 8080, "scheme": "HTTP", "httpHeaders": [{"name": "X-Probe", "value": "a"}]},
    "tcpSocket": {"port": 8080},
    "grpc": {"port": 8080, "service": "a"},
    "exec": {"command": ["/bin/check"]},
}
FILES: dict[str, Any] = {"items": [{"key": "a", "path": "a"}], "defaultMode": 0o444}
VOLUMES: list[dict[str, Any]] = [
    {"name": "empty", "emptyDir": {}},
    {"name": "settings", "emptyDir": {"sizeLimit": "1Mi"}},
    {"name": "token", "secret": {"secretName": "token", **FILES}},
    {"name": "map", "configMap": {"name": "map", **FILES}},
    {
        "name": "both",
        "projected": {"sources": [{"secret": {"name": "token", "items": FILES["items"]}}], "defaultMode": 0o444},
    },
]
TIMES = {"initialDelaySeconds": 0, "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3}
TIMES |= {"successThreshold": 1}


def places(data: Any, name: str) -> list[Place]:
    """Give every place of a key: `[]` is each item, `|` stands before an annotation."""
    fields, _, annotation = name.partition("|")
    parts = fields.replace("[]", ".[]").split(".") + ([annotation] if annotation else [])
    found: list[tuple[Place, Any]] = [((), data)]
    for part in parts:
        if part == "[]":
            found = [((*path, index), item) for path, items in found for index, item in enumerate(items)]
        else:
            found = [((*path, part), value[part]) for path, value in found if part in value]
    return [path for path, _ in found]


def service(name: str, handler: str = "httpGet", **annotations: str) -> dict[str, Any]:
    """Give a Service that says little, so that a value of it may change alone."""
    probe = {handler: HANDLERS[handler], **TIMES}
    container = {
        "image": "shop/web:1",
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "500m"}},
        "securityContext": {"readOnlyRootFilesystem": True},
        **dict.fromkeys(("startupProbe", "livenessProbe", "readinessProbe"), probe),
    }
    initial = {
        "name": "first",
        "image": "a:1",
        "securityContext": {"readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": each["name"], "mountPath": f"/{each['name']}"} for each in VOLUMES],
    }
    template = {
        "metadata": {"annotations": {"run.googleapis.com/cpu-throttling": "true"}},
        "spec": {"containers": [container], "initContainers": [initial], "volumes": VOLUMES},
    }
    metadata = {"name": name, "namespace": "default", "annotations": annotations}
    made: dict[str, Any] = {**SERVICE, "metadata": metadata, "spec": {"template": template}}
    # What stands in several places is several things.
    return dict(json.loads(json.dumps(made)))


@lru_cache(maxsize=1)
def bases() -> list[list[dict[str, Any]]]:
    """Give sets of documents that have every key somewhere: the reference, without its values too, and plain ones."""
    # The small ones first: most keys are told by them, and each takes a third of the time.
    read = read_documents(str(REFERENCE), REFERENCE.read_text(encoding="utf-8"), [])
    reference = [each.data for each in read if each.data["kind"] in ("Service", "ConfigMap", "Secret")]
    unheld = [each for each in reference if each["kind"] == "Service"]
    platform = {"apiVersion": "runyard.dev/v1", "kind": "Platform", "spec": {"writableRoots": True, "billing": "on"}}
    open_ = {"run.googleapis.com/ingress": "all", "runyard.dev/egress": "all"}
    plain = [platform, service("one", **open_), service("two", **{"runyard.dev/uses": "one"}), service("third")]
    return [plain, *([platform, service("one", each)] for each in HANDLERS), unheld, reference]


def with_value(data: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    made = copy.deepcopy(data)
    holder: Any = made
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = value
    return made


def outcome(documents: list[dict[str, Any]], directory: Path) -> object:
    """Say what documents come to: their plan, and which values are missing; None where they are refused."""
    file = directory / "a.yaml"
    file.write_text("\n---\n".join(json.dumps(each) for each in documents), encoding="utf-8")
    try:
        manifests = load([file]).manifests
    except ManifestError:
        return None
    planned = plan(manifests)
    missing = [list(describe_missing(each, values_of_manifests(manifests, each.tenant))) for each in manifests.services]
    # Facts and places are what the manifest says, and nothing that is done.
    services = [
        dataclasses.replace(each, facts={}, location=manifests.services[0].location) for each in planned.services
    ]
    return repr((services, planned.networks, planned.parts, missing))


def others(field: dict[str, Any], value: Any) -> Iterator[object]:
    """Give other values that a key could have."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, value * 2)
    elif isinstance(value, list):
        yield [*value, "more"]
    elif isinstance(value, dict):
        yield {**value, "more": "x"}
    else:
        yield from (each for each in field.get("enum", TEXTS) if each != value)


UNCHANGED: dict[int, object] = {}


def is_carried_out(path: str, directory: Path) -> bool:
    """Tell whether some other value of a key, at some place of these documents, comes to something else."""
    for number, base in enumerate(bases()):
        for index, document in enumerate(base):
            if document["kind"] != "Service" or not places(document, path):
                continue
            rest = (base[:index], base[index + 1 :])
            given = document
            if path in BESIDE:
                given = copy.deepcopy(document)
                given["spec"]["template"]["metadata"].get("annotations", {}).pop(BESIDE[path], None)
                before = outcome([*rest[0], given, *rest[1]], directory)
            else:
                before = UNCHANGED.setdefault(number, UNCHANGED.get(number) or outcome(base, directory))
            assert before is not None
            tried = (
                (place, other) for place in places(given, path) for other in others(FIELDS[path], at(given, place))
            )
            for place, other in tried:
                after = outcome([*rest[0], with_value(given, place, other), *rest[1]], directory)
                if after is not None and after != before:
                    return True
    return False


def at(data: Any, place: Place) -> Any:
    """Give what stands at a place."""
    for part in place:
        data = data[part]
    return data


@pytest.mark.parametrize("path", LEAVES)
def test_key_is_carried_out_or_refused_or_without_effect_by_its_nature(path: str, tmp_path: Path) -> None:
    field, level = FIELDS[path], level_of(path)[0]
    if (
        "const" in field
        or len(field.get("enum", "ab")) == 1
        or path in {**BY_NATURE, **NOT_ALONE}
        or level in ("kept", "later")
    ):
        # The schema refuses all else; or whoever has it is warned, which test_reference holds.
        return
    assert is_carried_out(path, tmp_path), f"{path}: no other value of it makes another plan"


def test_what_is_without_effect_by_nature_is_a_key_and_told_why() -> None:
    assert {*BY_NATURE, *NOT_ALONE} <= set(LEAVES)
