"""Binding of an update: no plan asks for nothing, and one that cannot be read refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from runyard import contracts
from runyard.errors import ContractError, PlanError, UsageError
from runyard.plan import plan
from runyard.pulumi.binding import bind
from runyard.pulumi.deployment import parse_deployment
from runyard.pulumi.state import parse_state
from stacks.admission import Admitted
from stacks.binding import VARIABLE, check_plan
from tests.unit.runyard.plan.example import manifests, service

STATE = '{"deployment": {"resources": []}}'
SUBJECT = manifests(service())
ADMITTED = Admitted(SUBJECT, plan(SUBJECT, "dev"), parse_deployment(STATE), "2026-11-23", None)


def test_update_without_a_plan_is_held_to_nothing() -> None:
    check_plan({}, ADMITTED, "")


def test_update_goes_on_with_what_was_reviewed_and_with_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(contracts.encode(bind(("a", "b"), SUBJECT, ADMITTED.plan, parse_state(STATE))))
    check_plan({VARIABLE: str(file)}, ADMITTED, STATE)
    other = manifests(service(), service(name="other"))
    with pytest.raises(PlanError, match=r"manifest: Service default/other \(hello\.yaml\) was added"):
        check_plan({VARIABLE: str(file)}, dataclasses.replace(ADMITTED, manifests=other), STATE)


def test_plan_that_cannot_be_read_refuses(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^read the plan /absent\.json: "):
        check_plan({VARIABLE: "/absent.json"}, ADMITTED, STATE)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ContractError):
        check_plan({VARIABLE: str(tmp_path / "plan.json")}, ADMITTED, STATE)
