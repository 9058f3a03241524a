"""Admission: what a policy refuses never reaches Pulumi, and is told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import PolicyError
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.plan.quota import Capacity
from stacks.admission import admit_manifests

TENANT = "apiVersion: runyard.dev/v1\nkind: Tenant\nmetadata: {name: shop}\nspec: {quotas: {instances: %d}}\n---\n"
SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/minScale: "3", autoscaling.knative.dev/maxScale: "3"}}
    spec: {containers: [{image: "shop/web:1"}]}
"""
LARGE = Capacity(8000, 64 * 1024**3)


def manifests(directory: Path, text: str) -> Manifests:
    file = directory / "shop.yaml"
    file.write_text(text)
    return load([file]).manifests


def test_change_that_keeps_every_rule_is_admitted(tmp_path: Path) -> None:
    admit_manifests(manifests(tmp_path, TENANT % 3 + SERVICE), "dev", "2026-11-23", LARGE)


def test_change_one_unit_over_a_quota_is_refused_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as raised:
        admit_manifests(manifests(tmp_path, TENANT % 2 + SERVICE), "dev", "2026-11-23", LARGE)
    assert str(raised.value) == (
        "policies refuse the change, nothing was touched:\n"
        f"{tmp_path}/shop.yaml:1:1: quota-kept: tenant shop's quota of instances must be at least 3 at minScale, "
        "got 2, 1 over: web 3 (ask for less, or raise it in the Tenant: reviewers see that as a change)"
    )
    assert raised.value.exit_code == 5


def test_change_that_does_not_fit_the_host_is_refused_with_the_sum(tmp_path: Path) -> None:
    with pytest.raises(
        PolicyError, match=r"the host's memory must be at least 1536Mi at minScale, got 1Gi, 512Mi over"
    ):
        admit_manifests(manifests(tmp_path, SERVICE), "dev", "2026-11-23", Capacity(8000, 1024**3))


def test_host_that_is_not_known_refuses_nothing(tmp_path: Path) -> None:
    admit_manifests(manifests(tmp_path, SERVICE), "dev", "2026-11-23", None)


def test_production_is_judged_more_strictly(tmp_path: Path) -> None:
    text = SERVICE.replace("shop/web:1", "shop/web:latest")
    admit_manifests(manifests(tmp_path, text), "dev", "2026-11-23", LARGE)
    with pytest.raises(PolicyError, match="image-not-latest: container user-container: image must not be latest"):
        admit_manifests(manifests(tmp_path, text), "shop-prod", "2026-11-23", LARGE)
