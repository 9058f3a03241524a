"""Page of a run: one file that needs nothing from elsewhere, verdict first, and exactly what is expected."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from runyard.workload.page import render_page
from tests.unit.runyard.workload.made import outcome
from tests.unit.runyard.workload.test_text import rich

EXPECTED = Path(__file__).parent / "expected" / "report.html"
# What HTML closes by itself.
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Balance(HTMLParser):
    """Tells whether every element that is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_page_is_exactly_what_is_expected() -> None:
    assert render_page(rich()) == EXPECTED.read_text(encoding="utf-8")


@pytest.mark.parametrize("made", [outcome(), rich(), outcome(failing=1)], ids=["plain", "rich", "all failed"])
def test_page_is_well_formed(made: object) -> None:
    found = Balance(render_page(made))  # type: ignore[arg-type]
    assert (found.open, found.wrong) == ([], [])


def test_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    page = render_page(rich())
    assert not re.search(r"<(script|link|img|iframe|object)\b|\b(src|href)=|url\(|@import|\bon\w+=", page)


def test_verdict_comes_before_everything_that_is_measured() -> None:
    page = render_page(rich())
    assert page.index('class="verdict failed"') < page.index("at most 1 % failed, got 10") < page.index("<table>")


@pytest.mark.parametrize(
    ("problems", "verdict", "said"),
    [
        ((), "passed", "No threshold was asked for."),
        (("all were late",), "void", "The generator could not keep its own times"),
    ],
)
def test_verdict_is_said_in_words(problems: tuple[str, ...], verdict: str, said: str) -> None:
    made = outcome()
    page = render_page(replace(made, generator=replace(made.generator, problems=problems)))
    assert f'class="verdict {verdict}"' in page
    assert said in page


def test_names_are_text_on_a_page() -> None:
    page = render_page(replace(outcome(), name="<script>alert(1)</script>"))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
