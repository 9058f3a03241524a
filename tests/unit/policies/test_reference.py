"""Reference of the rules: what the rules say, each under a heading that its link names."""

from __future__ import annotations

from pathlib import Path

from policies import document, exclusive
from policies.kind import KIND_RULE
from policies.owner import OWNER_RULE
from policies.reference import render_reference
from policies.resource_rules import RESOURCE_RULES
from policies.rules import RULES
from policies.stack import READABLE_RULE, UNKNOWN_RULE
from policies.verdict import ERROR_RULE

PAGE = Path(__file__).parents[3] / "docs" / "policies.md"


def test_page_is_what_the_rules_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_reference(), "run python -m policies.reference > docs/policies.md"


def test_page_has_a_heading_for_every_link() -> None:
    headings = {line.removeprefix("### ") for line in render_reference().splitlines() if line.startswith("### ")}
    others = {
        KIND_RULE,
        OWNER_RULE,
        READABLE_RULE,
        UNKNOWN_RULE,
        ERROR_RULE,
        *(rule.id for rule in (*RESOURCE_RULES, *exclusive.RULES, *document.RULES)),
    }
    assert {rule.page.partition("#")[2] for rule in RULES} | others == headings
