"""Guides for users: their manifests are loaded and planned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runyard.manifest import load
from runyard.plan import plan
from tests.unit import checkout
from tests.unit.test_documentation import blocks

GUIDES = [path for path in checkout.files() if path.match("docs/guides/*.md")]
MANIFESTS = [
    pytest.param(text, id=f"{guide.stem}-{number}")
    for guide in GUIDES
    for number, text in enumerate(blocks(checkout.text(guide), "yaml"))
]


@pytest.mark.parametrize("text", MANIFESTS)
def test_manifest_of_a_guide_loads_without_a_warning_and_can_be_planned(text: str, tmp_path: Path) -> None:
    file = tmp_path / "guide.yaml"
    file.write_text(text)
    found = load([file])
    assert found.warnings == ()
    plan(found.manifests, "dev")


def test_composes_service_and_its_manifest_say_the_same() -> None:
    text = checkout.text(Path("docs/guides/moving.md"))
    (composed,) = re.findall(r"^```\n(services:.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (written,) = [each for each in blocks(text, "yaml") if "runyard.dev/volumes" in each]
    for same in ("runyard/hello:1", "GREETING", "8080", "cart", "/healthz", "256M", "uploads", "/uploads"):
        assert same in composed
        assert same in written
