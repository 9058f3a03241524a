"""Declared stack: what is read of its configuration, and when its state is asked."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from policies.declared import KeptServices, Settings, judge_declared, observe_state
from policies.rule import Context
from policies.service import is_same
from policies.verdict import Verdict
from runyard.errors import ManifestError, UsageError
from runyard.manifest import load
from runyard.plan import RevisionPlan, plan
from runyard.secrets import digest_secrets, flatten_secrets

DAY = "2026-11-23"
TENANT = """\
apiVersion: runyard.dev/v1
kind: Tenant
metadata: {name: shop}
spec: {quotas: {memory: QUOTA}}
---
"""
WEB = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/maxScale: "1"}}
    spec: {containers: [{image: "shop/web:1", resources: {limits: {memory: MEMORY}}}]}
"""
TRAFFIC = """\
  traffic: [{latestRevision: true, percent: 50}, {revisionName: EARLIER, percent: 50}]
"""


def write(directory: Path, memory: str, earlier: str = "", quota: str = "1Gi") -> str:
    file = directory / "web.yaml"
    service = WEB.replace("MEMORY", memory) + (TRAFFIC.replace("EARLIER", earlier) if earlier else "")
    file.write_text(TENANT.replace("QUOTA", quota) + service)
    return str(file)


def past_of(directory: Path, memory: str) -> RevisionPlan:
    (service,) = plan(load([write(directory, memory)]).manifests, "dev").services
    return service.revision


def settings(**config: str) -> Settings:
    return Settings("dev", "runyard", {f"runyard:{key}": value for key, value in config.items()}, dry_run=True)


def unread() -> KeptServices:
    raise AssertionError("the state must not be read")


def judged(given: Settings, state: Any = unread) -> tuple[Context, Verdict]:
    return judge_declared(given, state, lambda: None, DAY)


def test_manifests_are_planned_without_the_state(tmp_path: Path) -> None:
    context, verdict = judged(settings(manifests=write(tmp_path, "512Mi")))
    assert context.plan is not None
    assert [(each.tenant, each.name) for each in context.plan.services] == [("shop", "web")]
    assert verdict.refusals == ()


def test_stack_without_manifests_has_nothing_to_judge_yet() -> None:
    context, verdict = judged(settings())
    assert context.manifests.services == ()
    assert verdict.findings == ()


def test_several_paths_are_separated_by_commas(tmp_path: Path) -> None:
    context, _ = judged(settings(manifests=f"manifests/hello.yaml, {write(tmp_path, '512Mi')}"))
    assert [each.name for each in context.manifests.services] == ["hello", "web"]


def test_manifest_that_cannot_be_read_refuses(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="memory"):
        judged(settings(manifests=write(tmp_path, "much")))


def test_earlier_revision_in_traffic_counts_at_its_own_size(tmp_path: Path) -> None:
    past = past_of(tmp_path, "1920Mi")
    given = settings(manifests=write(tmp_path, "128Mi", past.name))
    _, verdict = judged(given, lambda: KeptServices({"shop/web": (past,)}))
    (refusal,) = verdict.refusals
    assert refusal.message == (
        "tenant shop's quota of memory must be at least 2Gi at maxScale, got 1Gi, 1Gi over: web 2Gi"
    )


def test_earlier_revision_without_traffic_does_not_count(tmp_path: Path) -> None:
    small, large = past_of(tmp_path, "256Mi"), past_of(tmp_path, "1920Mi")
    given = settings(manifests=write(tmp_path, "128Mi", small.name))
    context, verdict = judged(given, lambda: KeptServices({"shop/web": (large, small)}))
    assert verdict.refusals == ()
    assert context.uses["shop/web"].worst["memory"] == 384 * 1024**2


def test_earlier_revision_that_nobody_keeps_refuses(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="none is kept, got web-gone"):
        judged(settings(manifests=write(tmp_path, "128Mi", "web-gone")), lambda: KeptServices({}))


def test_latest_revision_may_be_named_though_secrets_shape_its_name(tmp_path: Path) -> None:
    file = Path(write(tmp_path, "128Mi"))
    secret = 'image: "shop/web:1", env: [{name: A, valueFrom: {secretKeyRef: {name: db, key: latest}}}]'
    file.write_text(file.read_text().replace('image: "shop/web:1"', secret))
    config = {"manifests": str(file), "secrets": json.dumps({"shop": {"db": "hunter2"}})}
    shares = TRAFFIC.replace("EARLIER", "web-00000000")
    file.write_text(file.read_text() + shares)
    with pytest.raises(ManifestError) as raised:
        judged(settings(**config), lambda: KeptServices({}))
    # The name that it must be is that with the secret's digest in it.
    latest = str(raised.value).partition("the revision that this manifest makes (")[2].partition(")")[0]
    file.write_text(file.read_text().replace("web-00000000", latest))
    context, verdict = judged(settings(**config), lambda: KeptServices({}))
    assert verdict.refusals == ()
    assert context.plan is not None
    assert context.plan.services[0].revision.name == latest


def test_secrets_shape_documents_as_they_do_in_the_program(tmp_path: Path) -> None:
    file = Path(write(tmp_path, "128Mi"))
    keys = 'image: "shop/web:1", envFrom: [{secretRef: {name: db}}]'
    file.write_text(file.read_text().replace('image: "shop/web:1"', keys))
    secrets = {"shop": {"db": {"USER": "web", "WORD": "hunter2"}}}
    context, _ = judged(settings(manifests=str(file), secrets=json.dumps(secrets)))
    assert context.plan is not None
    (made,) = plan(context.manifests, "dev", digest_secrets(flatten_secrets(secrets))).services
    assert {"USER", "WORD"} <= {each.name for each in made.revision.document.containers[0].environment}
    assert is_same(made, context.plan.services[0])


def test_usage_file_may_name_services_that_are_gone(tmp_path: Path) -> None:
    usage = tmp_path / "usage.yaml"
    usage.write_text("services: {shop/gone: medium}\n")
    given = settings(manifests=write(tmp_path, "128Mi"), usage=str(usage))
    context, _ = judged(given, lambda: KeptServices({}, frozenset({"shop/gone"})))
    assert context.usages is not None


def test_state_of_another_project_is_not_read() -> None:
    with pytest.raises(UsageError) as raised:
        observe_state(dataclasses.replace(settings(), project="byhand"))
    assert str(raised.value) == "state of project byhand: earlier revisions are kept in that of runyard alone"
