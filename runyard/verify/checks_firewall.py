"""Checks of the firewall: the host's packet filter has the rules of the plan, and the stack's part keeps them there."""

from __future__ import annotations

import pytest

from runyard import names
from runyard.plan.firewall import render_rules
from runyard.verify.plugin import Subject


def test_firewall_holds_instances_to_their_limits_and_from_the_host(subject: Subject) -> None:
    plan = subject.plan
    if not plan.platform.firewall.enabled:
        pytest.skip("spec.firewall.enabled is false: no rules limit connections, and instances reach the host")
    keeper = subject.inspect(names.platform_container(plan.stack, names.ROLE_FIREWALL))
    assert f"RUNYARD_RULES={render_rules(plan)}" in keeper["Config"]["Env"]
    assert subject.firewall_fault() == ""
