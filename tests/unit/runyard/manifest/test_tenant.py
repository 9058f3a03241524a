"""Tenant as typed data: quotas in base units, money exact."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runyard.accounts import Member, Quotas
from runyard.contracts import Budget, Threshold
from runyard.manifest import load
from runyard.manifest.model import Location, Tenant


def tenant(directory: Path, spec: str) -> Tenant:
    file = directory / "tenant.yaml"
    file.write_text(f"apiVersion: runyard.dev/v1\nkind: Tenant\nmetadata: {{name: shop}}\nspec: {spec}\n")
    return next(each for each in load([file]).manifests.tenants if each.name == "shop")


def test_tenant_takes_everything_over(tmp_path: Path) -> None:
    spec = """
  subnet: 10.200.0.0/24
  quotas: {cpu: 1500m, memory: 2Gi, instances: 3, services: 4, storage: 1.5Gi, hosts: 5, requestsPerSecond: 6}
  budget: {amount: 12.50}
  allowedRegistries: [docker.io/library, "registry.example.com:5000/shop"]
  members: [{user: ann@example.com, role: owner}]
"""
    assert tenant(tmp_path, spec) == Tenant(
        name="shop",
        subnet="10.200.0.0/24",
        location=Location(str(tmp_path / "tenant.yaml"), 1, 1),
        quotas=Quotas(1500, 2 * 1024**3, 3, 4, 1536 * 1024**2, 5, 6),
        budget=Budget(Decimal("12.50"), "USD"),
        allowed_registries=("docker.io/library", "registry.example.com:5000/shop"),
        members=(Member("ann@example.com", "owner"),),
    )


def test_tenant_without_settings_has_no_limits(tmp_path: Path) -> None:
    bare = tenant(tmp_path, "{}")
    assert bare.quotas == Quotas()
    assert bare.budget is None


def test_thresholds_of_a_budget_say_what_is_compared_and_done(tmp_path: Path) -> None:
    spec = """
  budget:
    amount: 10
    thresholds:
      - {percent: 50}
      - {percent: 100, spending: forecast, action: block}
      - {percent: 90, action: limit, maxScale: 2}
"""
    budget = tenant(tmp_path, spec).budget
    assert budget is not None
    assert budget.thresholds == (
        Threshold(50, "actual", "warn"),
        Threshold(100, "forecast", "block"),
        Threshold(90, "actual", "limit", 2),
    )


def test_quota_of_nothing_is_a_limit(tmp_path: Path) -> None:
    assert tenant(tmp_path, "{quotas: {cpu: 0, instances: 0}}").quotas == Quotas(cpu_millis=0, instances=0)


@pytest.mark.parametrize(
    "written", ["0.000024", '"0.000024"', "123456789.12", '"999999999999.999999999999"', "7", '"0"']
)
def test_amount_is_read_exactly_as_written(tmp_path: Path, written: str) -> None:
    budget = tenant(tmp_path, f"{{budget: {{amount: {written}}}}}").budget
    assert budget is not None
    assert budget.amount == Decimal(written.strip('"'))
