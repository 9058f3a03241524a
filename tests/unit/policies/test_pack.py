"""Pack: what Pulumi's engine hands over, and what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi_policy import PolicyResourceOptions, ResourceValidationArgs

from policies.pack import validation
from policies.resource import CONTAINER, RESOURCE_RULES, ResourceRule, stack_of

POLICIES = Path(__file__).parents[3] / "policies"
RULES = {rule.id: rule for rule in RESOURCE_RULES}


def told(rule: ResourceRule, kind: str, properties: dict[str, Any]) -> list[str]:
    options = PolicyResourceOptions(False, [], [], None, [], None, [])  # type: ignore[arg-type]
    urn = f"urn:pulumi:dev::runyard::{kind}::strange"
    messages: list[str] = []
    arguments = ResourceValidationArgs(kind, properties, urn, "strange", options, None)
    validation([rule])(arguments, lambda message, _urn: messages.append(message))
    return messages


def test_container_is_judged_and_named() -> None:
    assert told(RULES["not-privileged"], CONTAINER, {"privileged": True}) == [
        "not-privileged: strange: privileged must not be true, got true (remove privileged)"
    ]


def test_ports_are_whole_numbers_though_pulumi_sends_floats() -> None:
    (message,) = told(RULES["no-published-ports"], CONTAINER, {"ports": [{"internal": 80.0, "external": 8080.0}]})
    assert message.startswith("no-published-ports: strange: no port must be published, got 8080 ")


def test_other_resources_are_left_alone() -> None:
    assert [message for rule in RESOURCE_RULES for message in told(rule, "docker:index/network:Network", {})] == []


def test_rule_that_throws_is_not_swallowed() -> None:
    def throw(_properties: Any, _stack: str) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        told(ResourceRule("tried", "It holds.", "mend it", throw), CONTAINER, {})


def test_stack_is_that_of_the_urn() -> None:
    assert stack_of("urn:pulumi:shop-prod::runyard::docker:index/container:Container::web") == "shop-prod"


def test_pack_runs_in_the_checkouts_environment() -> None:
    project = yaml.safe_load((POLICIES / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    assert project["runtime"] == {"name": "python", "options": {"virtualenv": "../.venv"}}
