"""Admission: what a policy refuses never reaches Pulumi, and is told with its file and line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from policies.environment import environment_of
from policies.rule import Context
from runyard.contracts import Budget, BudgetStatus, BudgetStatuses, Spend, encode
from runyard.errors import ManifestError, PolicyError
from runyard.forecast import Usages, price
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.plan import plan
from runyard.plan.quota import Capacity
from runyard.pulumi.deployment import Deployment
from stacks import admission
from stacks.admission import load_usages
from tests.unit.runyard.conftest import docker_api as docker_api
from tests.unit.runyard.git.test_tree import git
from tests.unit.runyard.host.docker_api import DockerApi

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
BUDGET = (
    "apiVersion: runyard.dev/v1\nkind: Tenant\nmetadata: {name: shop}\n"
    'spec: {budget: {amount: "10", thresholds: [{percent: 80, action: %s}]}}\n'
)
LARGE = Capacity(8000, 64 * 1024**3)


def manifests(directory: Path, text: str) -> Manifests:
    file = directory / "shop.yaml"
    file.write_text(text)
    return load([file]).manifests


def admit_manifests(
    subject: Manifests, stack: str, day: str, capacity: Capacity | None, usages: Usages | None = None
) -> None:
    planned = plan(subject, stack)
    context = Context(subject, day, environment_of(stack), capacity, usages, plan=planned)
    admission.admit_manifests(context)


def test_change_that_keeps_every_rule_is_admitted(tmp_path: Path) -> None:
    admit_manifests(manifests(tmp_path, TENANT % 3 + SERVICE), "dev", "2026-11-23", LARGE)


class NoExport:
    """A stack in which nothing is yet."""

    def read(self) -> str:
        return '{"deployment": {"resources": []}}'


def test_manifest_that_a_checkout_made_something_else_of_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitattributes").write_text("*.yaml ident\n")
    file = tmp_path / "shop.yaml"
    file.write_text("# $Id$\n" + SERVICE)
    git(tmp_path, "add", "-A")
    file.unlink()
    git(tmp_path, "checkout", "-q", "--", ".")
    with pytest.raises(ManifestError, match=r"got what ident in \.gitattributes makes of it"):
        admission.load_plan(admission.Declared("dev", tmp_path, str(file), None), {}, NoExport())  # type: ignore[arg-type]


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
    with pytest.raises(PolicyError, match=r"the host's memory must be at least 3Gi at minScale, got 1Gi, 2Gi over"):
        admit_manifests(manifests(tmp_path, SERVICE), "dev", "2026-11-23", Capacity(8000, 1024**3))


def test_host_that_is_not_known_refuses_nothing(tmp_path: Path) -> None:
    admit_manifests(manifests(tmp_path, SERVICE), "dev", "2026-11-23", None)


def test_production_is_judged_more_strictly(tmp_path: Path) -> None:
    text = SERVICE.replace("shop/web:1", "shop/web:latest")
    admit_manifests(manifests(tmp_path, text), "dev", "2026-11-23", LARGE)
    with pytest.raises(PolicyError, match="image-not-latest: container user-container: image must not be latest"):
        admit_manifests(manifests(tmp_path, text), "shop-prod", "2026-11-23", LARGE)


# Every quota: what the service below takes of it at its worst, and one unit less.
FULL = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {runyard.dev/max-requests-per-second: "50"}}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/minScale: "1", autoscaling.knative.dev/maxScale: "3"}}
    spec:
      containers:
        - image: "shop/web:1"
          resources: {limits: {cpu: "1", memory: 256Mi}}
          volumeMounts: [{name: cache, mountPath: /cache}]
      volumes: [{name: cache, emptyDir: {sizeLimit: 64Mi}}]
"""
QUOTAS = {
    "cpu": ("3", "2999m"),
    "memory": ("768Mi", str(768 * 1024**2 - 1)),
    "instances": ("3", "2"),
    "services": ("1", "0"),
    "storage": ("192Mi", str(192 * 1024**2 - 1)),
    "hosts": ("1", "0"),
    "requestsPerSecond": ("50", "49"),
}


@pytest.mark.parametrize("resource", sorted(QUOTAS))
def test_every_quota_refuses_one_unit_over_and_lets_the_change_pass_that_raises_it(
    tmp_path: Path, resource: str
) -> None:
    enough, one_less = (TENANT.replace("instances: %d", f"{resource}: {limit}") for limit in QUOTAS[resource])
    with pytest.raises(PolicyError, match=rf"quota-kept: tenant shop's quota of {resource} must be at least"):
        admit_manifests(manifests(tmp_path, one_less + FULL), "dev", "2026-11-23", LARGE)
    admit_manifests(manifests(tmp_path, enough + FULL), "dev", "2026-11-23", LARGE)


def test_budget_refuses_one_cent_over(tmp_path: Path) -> None:
    budgeted = TENANT.replace("quotas: {instances: %d}", "budget: {amount: '%s', currency: USD}")
    expected = price(manifests(tmp_path, FULL), "2026-11-23").totals[1]
    with pytest.raises(PolicyError, match="budget-kept: tenant shop's expected cost must be at most its budget of"):
        admit_manifests(manifests(tmp_path, budgeted % (expected - Decimal("0.01")) + FULL), "dev", "2026-11-23", LARGE)
    admit_manifests(manifests(tmp_path, budgeted % expected + FULL), "dev", "2026-11-23", LARGE)


def usage_file(directory: Path, text: str) -> Path:
    file = directory / "usage.yml.txt"
    file.write_text(text)
    return file


def test_budget_is_judged_on_the_stacks_usage_file_as_a_review_judges_it(tmp_path: Path) -> None:
    budgeted = TENANT.replace("quotas: {instances: %d}", "budget: {amount: '50', currency: USD}")
    given = manifests(tmp_path, budgeted + FULL)
    admit_manifests(given, "dev", "2026-11-23", LARGE)
    usages = load_usages(usage_file(tmp_path, "services: {shop/web: large}\n"), given, Deployment())
    with pytest.raises(PolicyError, match="budget-kept: tenant shop's expected cost must be at most its budget"):
        admit_manifests(given, "dev", "2026-11-23", LARGE, usages)


def test_usage_file_may_name_what_the_update_removes_and_nothing_unknown(tmp_path: Path) -> None:
    given, file = manifests(tmp_path, FULL), usage_file(tmp_path, "services: {shop/old: large}\n")
    assert load_usages(file, given, Deployment(pasts={"shop/old": ()})).services
    with pytest.raises(ManifestError, match="unknown service"):
        load_usages(file, given, Deployment())
    with pytest.raises(ManifestError, match="cannot be read: no such file"):
        load_usages(tmp_path / "absent.yaml", given, Deployment())


def test_budgets_are_asked_of_the_ledger_where_one_of_them_may_refuse(
    tmp_path: Path, docker_api: DockerApi, capsys: pytest.CaptureFixture[str]
) -> None:
    status = BudgetStatus("shop", "2026-11", Budget(Decimal(10), "USD"), Spend(Decimal(9), Decimal(12)))
    docker_api.output = encode(BudgetStatuses((status,))).encode()
    blocking = BUDGET % "block"
    assert admission.ask_budgets(manifests(tmp_path, BUDGET % "warn"), "prod") == ()
    assert docker_api.asked == []
    assert admission.ask_budgets(manifests(tmp_path, blocking), "prod") == (status,)
    assert docker_api.asked[1] == "POST /containers/runyard.prod.billing/exec"
    # Of another version.
    docker_api.output = b"[]"
    assert admission.ask_budgets(manifests(tmp_path, blocking), "prod") == ()
    assert capsys.readouterr().err.startswith("warning: budgets are not judged: decode BudgetStatuses: ")
    docker_api.answers["POST /containers/runyard.prod.billing/exec"] = (404, {"message": "no such container"})
    assert admission.ask_budgets(manifests(tmp_path, blocking), "prod") == ()
    assert capsys.readouterr().err == ""
