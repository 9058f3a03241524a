"""Plan of an update, as the provider reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider.plan import load_reviewed
from runyard import contracts
from runyard.contracts import ImageIdentity
from runyard.errors import ContractError
from runyard.plan import plan
from runyard.pulumi.binding import bind
from runyard.pulumi.marks import PLAN_VARIABLE
from runyard.pulumi.state import parse_state
from tests.unit.runyard.plan.example import manifests, service

IMAGES = {"shop/web:1": ImageIdentity("sha256:" + "a" * 64)}


def test_update_without_a_plan_has_no_reviewed_images() -> None:
    assert load_reviewed({}) == {}


def test_images_of_the_plan_are_what_was_reviewed(tmp_path: Path) -> None:
    subject = manifests(service())
    state = parse_state('{"deployment": {"resources": []}}')
    file = tmp_path / "plan.json"
    file.write_text(contracts.encode(bind(("a", "b"), subject, plan(subject, "dev"), state, IMAGES)))
    assert load_reviewed({PLAN_VARIABLE: str(file)}) == IMAGES


def test_plan_that_is_none_or_gone_refuses_and_is_never_taken_for_no_plan(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_reviewed({PLAN_VARIABLE: str(tmp_path / "plan.json")})
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(ContractError):
        load_reviewed({PLAN_VARIABLE: str(tmp_path / "plan.json")})
