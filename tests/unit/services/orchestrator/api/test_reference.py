from __future__ import annotations

from pathlib import Path

from services.orchestrator.api.operations import OPERATIONS
from services.orchestrator.api.reference import render
from services.orchestrator.api.watch import MOST, SILENCE_S
from tests.unit import checkout


def test_reference_is_what_the_operations_say() -> None:
    assert checkout.text(Path("docs/api.md")) == render()


def test_reference_has_every_operation_and_says_how_many_may_watch() -> None:
    for each in OPERATIONS:
        assert f"### {each.method} {each.path}\n\n`{each.name}`: {each.summary}\n" in render()
    assert f"A comment comes every {SILENCE_S:.0f} s at least. {MOST} streams" in render()
