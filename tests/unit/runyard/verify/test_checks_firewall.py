"""The check of the firewall: it passes on the rules of the plan, and fails on others or where nobody keeps them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from runyard.manifest.model import Firewall, Platform, Tenant
from runyard.plan import Plan, plan
from runyard.plan.firewall import render_rules
from runyard.verify.checks_firewall import test_firewall_holds_instances_to_their_limits_and_from_the_host as check
from runyard.verify.plugin import Subject
from tests.unit.runyard.plan.example import manifests, service


class FakeSubject:
    """A stack whose keeper has rules, and a host that has what its keeper put or says why not."""

    def __init__(self, planned: Plan, kept: str, fault: str = "") -> None:
        self.plan, self.kept, self.fault = planned, kept, fault

    def inspect(self, name: str) -> dict[str, Any]:
        assert name == "runyard.dev.firewall"
        return {"Config": {"Env": ["PATH=/usr/bin", "RUNYARD_STACK=dev", f"RUNYARD_RULES={self.kept}"]}}

    def firewall_fault(self) -> str:
        return self.fault


PLANNED = plan(manifests(service()))


def checked(planned: Plan, kept: str, fault: str = "") -> None:
    check(cast(Subject, FakeSubject(planned, kept, fault)))


def test_rules_of_the_plan_that_are_in_force_pass() -> None:
    checked(PLANNED, render_rules(PLANNED))


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        (plan(manifests(service(), tenants=(Tenant("default"), Tenant("shop")))), ""),
        (plan(manifests(service(), platform=Platform(firewall=Firewall(flows=64)))), ""),
        (PLANNED, "nobody keeps the rules: it is not running"),
    ],
)
def test_rules_of_another_plan_or_not_in_force_fail(other: Plan, fault: str) -> None:
    with pytest.raises(AssertionError):
        checked(PLANNED, render_rules(other), fault)


def test_platform_that_wants_no_firewall_is_told_and_not_failed() -> None:
    without = replace(PLANNED, platform=Platform(firewall=Firewall(enabled=False)))
    with pytest.raises(pytest.skip.Exception, match=r"^spec.firewall.enabled is false: no rules limit connections"):
        checked(without, "")
