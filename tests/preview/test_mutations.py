"""Each mutation of the example manifests changes the resources that it should, and no other, in what is planned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runyard.manifest import load
from runyard.plan import ServicePlan, plan
from runyard.secrets import digest_secrets, flatten_secrets
from tests.preview.mutations import AUTO, KNATIVE, MANIFESTS, MUTATIONS, RUN, RUNYARD, SECRETS, Mutation

DIGESTS = digest_secrets(flatten_secrets({"default": SECRETS}))
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# Every field that shared/knative-fields.md marks M, row by row, in the shorthand of tests.preview.mutations with []
# for the place in a list. That file is not of this repository, so this is the list to extend with it.
MUST = (
    # 3.1 Envelope and metadata.
    *("R:metadata.labels", "S:example.com/note"),
    # 3.2 Revision template.
    *("R:spec.template.metadata.name", "R:spec.template.metadata.labels", "T:example.com/note"),
    *("P:containerConcurrency", "P:timeoutSeconds", "P:containers", "P:volumes"),
    # 3.3 Container.
    *("C:name", "C:image", "C:command", "C:args", "C:workingDir", "C:env[].name", "C:env[].value"),
    *("C:env[].valueFrom.secretKeyRef.name", "C:env[].valueFrom.secretKeyRef.key"),
    "C:env[].valueFrom.secretKeyRef.optional",
    *("C:ports[].containerPort", "C:ports[].name", "C:ports[].protocol"),
    *("C:resources.limits.cpu", "C:resources.limits.memory"),
    *(
        f"C:{probe}.{field}"
        for probe in PROBES
        for field in (
            *("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold"),
            *("httpGet.path", "httpGet.port", "httpGet.httpHeaders", "httpGet.scheme"),
            *("tcpSocket.port", "grpc.port", "grpc.service"),
        )
    ),
    *(f"C:volumeMounts[].{field}" for field in ("name", "mountPath", "readOnly", "subPath")),
    # 3.4 Volumes and traffic.
    *(f"P:volumes[].secret.{field}" for field in ("secretName", "items", "defaultMode", "optional")),
    *(f"P:volumes[].secret.items[].{field}" for field in ("key", "path", "mode")),
    *(f"P:volumes[].configMap.{field}" for field in ("name", "items", "defaultMode", "optional")),
    *(
        f"P:volumes[].projected.{field}"
        for field in ("sources[].secret.items", "sources[].configMap.items", "defaultMode")
    ),
    *("P:initContainers", "P:initContainers[].image", "C:envFrom", "C:envFrom[].prefix", "C:envFrom[].secretRef.name"),
    f"S:{RUNYARD}volumes",
    *("P:volumes[].emptyDir.medium", "P:volumes[].emptyDir.sizeLimit"),
    *("R:spec.traffic", "R:spec.traffic[].percent", "R:spec.traffic[].revisionName"),
    *("R:spec.traffic[].latestRevision", "R:spec.traffic[].tag"),
    # 3.5 Annotations.
    *(f"T:{AUTO}{name}" for name in ("minScale", "min-scale", "maxScale", "max-scale", "metric", "target", "window")),
    *(f"T:{AUTO}{name}" for name in ("target-utilization-percentage", "panic-window-percentage", "initial-scale")),
    *(f"T:{AUTO}{name}" for name in ("panic-threshold-percentage", "scale-down-delay", "activation-scale")),
    f"T:{AUTO}scale-to-zero-pod-retention-period",
    *(f"S:{RUN}{name}" for name in ("minScale", "maxScale", "scalingMode", "manualInstanceCount", "ingress")),
    *(f"S:{RUN}{name}" for name in ("invoker-iam-disabled", "iap-enabled", "custom-audiences")),
    *(f"T:{RUN}{name}" for name in ("scaling-cpu-target", "scaling-concurrency-target", "cpu-throttling")),
    *(f"T:{RUN}{name}" for name in ("sessionAffinity", "container-dependencies")),
    *(f"S:{KNATIVE}rollout-duration", f"T:{KNATIVE}progress-deadline"),
)
# Not among them: apiVersion and kind have one value each, another metadata.name is another service, and httpGet.host is
# refused, as on Cloud Run.
ROOTS = {
    "R": "",
    "S": "metadata.annotations.",
    "T": "spec.template.metadata.annotations.",
    "P": "spec.template.spec.",
    "C": "spec.template.spec.containers[].",
}


def planned(directory: Path, manifest: object) -> ServicePlan:
    directory.mkdir()
    (directory / "one.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True))
    loaded = load([directory, MANIFESTS / "shop"])
    (found,) = [each for each in plan(loaded.manifests, secret_digests=DIGESTS).services if each.name == "mutated"]
    return found


def changes(before: ServicePlan, after: ServicePlan) -> frozenset[str]:
    """Name the resources of a service that differ, as components/service.py declares them."""
    pairs = {
        "service": (before.facts, after.facts),
        "revision": (before.revision, after.revision),
        "route": (before.route, after.route),
        "rollout": (
            (before.rollout, before.revision.name, before.revision.digest),
            (after.rollout, after.revision.name, after.revision.digest),
        ),
    }
    return frozenset(name for name, (left, right) in pairs.items() if left != right)


def test_mutations_are_many_and_named_apart() -> None:
    assert len(MUTATIONS) >= 150
    assert len({each.id for each in MUTATIONS}) == len(MUTATIONS)


@pytest.mark.parametrize("field", MUST)
def test_mutations_change_every_field_that_must_be_honoured(field: str) -> None:
    assert field in {named(each) for each in MUTATIONS}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.id)
def test_mutation_touches_the_field_that_it_names(mutation: Mutation) -> None:
    before, after = (set(leaves(each)) for each in mutation.make("mutated"))
    root, _, rest = named(mutation).partition(":")
    field = ROOTS[root] + rest
    assert any(f"{path}.".startswith((f"{field}.", f"{field}[")) for path, *_ in before ^ after)


def named(mutation: Mutation) -> str:
    """Name the field that a mutation is of, whichever place in a list it has."""
    return mutation.path if mutation.path[0] in "ST" else re.sub(r"\.\d+(?=\.|$)", "[]", mutation.path)


def leaves(value: Any, path: str = "", place: str = "") -> Iterator[tuple[str, str, str]]:
    """Give each value with its path, and with its places in lists."""
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            step = "[]" if isinstance(value, list) else f".{key}" if path else str(key)
            yield from leaves(item, path + step, f"{place}.{key}")
    else:
        yield path, place, repr(value)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.id)
def test_mutation_changes_the_resources_that_it_should(mutation: Mutation, tmp_path: Path) -> None:
    before, after = (planned(tmp_path / str(at), each) for at, each in enumerate(mutation.make("mutated")))
    assert changes(before, after) == mutation.changes
