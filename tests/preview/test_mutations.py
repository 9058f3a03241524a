"""Each mutation of the example manifests changes the resources that it should, and no other, in what is planned."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runyard.manifest import load
from runyard.plan import ServicePlan, plan
from tests.preview.mutations import AUTO, KNATIVE, MANIFESTS, MUTATIONS, RUN, Mutation

# Every field that shared/knative-fields.md marks M and that a valid Service can have more than one value of, in the
# shorthand of tests.preview.mutations.
MUST = (
    *("R:metadata.labels", "S:", "T:", "R:spec.template.metadata.labels", "P:containerConcurrency", "P:timeoutSeconds"),
    *(
        "P:containers",
        "P:volumes",
        "C:name",
        "C:image",
        "C:command",
        "C:args",
        "C:workingDir",
        "C:env",
        "C:env.0.value",
    ),
    *("C:ports", "C:resources.limits.cpu", "C:resources.limits.memory", "C:startupProbe", "C:livenessProbe"),
    *(
        f"C:{probe}.{field}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        for field in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold", "httpGet.path")
    ),
    *("C:startupProbe.successThreshold", "C:startupProbe.httpGet.port", "C:startupProbe.httpGet.httpHeaders"),
    *("C:startupProbe.httpGet.scheme", "C:startupProbe.grpc", "P:volumes[].secret", "P:volumes[].emptyDir"),
    *("R:spec.template.metadata.name", "R:spec.traffic[].revisionName", "C:env[].valueFrom.secretKeyRef"),
    *("R:spec.traffic[].percent", "R:spec.traffic[].latestRevision", "R:spec.traffic[].tag"),
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


def planned(directory: Path, manifest: object) -> ServicePlan:
    directory.mkdir()
    (directory / "one.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True))
    loaded = load([directory, MANIFESTS / "shop"])
    (found,) = [each for each in plan(loaded.manifests).services if each.name == "mutated"]
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
    assert any(each.path.startswith(field) for each in MUTATIONS)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.id)
def test_mutation_changes_the_resources_that_it_should(mutation: Mutation, tmp_path: Path) -> None:
    before, after = (planned(tmp_path / str(at), each) for at, each in enumerate(mutation.make("mutated")))
    assert changes(before, after) == mutation.changes
