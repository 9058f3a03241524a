"""Tables: columns that stand below one another, and Markdown that no cell can break."""

from __future__ import annotations

from runyard.table import render_columns, render_markdown


def test_columns_are_aligned_and_nothing_trails() -> None:
    assert render_columns([("a", "1", ""), ("long", "100", "x")], right={1}) == ["a       1", "long  100  x"]
    assert render_columns([]) == []


def test_markdown_has_head_rule_and_a_row_for_each() -> None:
    assert render_markdown(("name", "n"), [("a", "1")], right={1}) == ["| name | n |", "| --- | ---: |", "| a | 1 |"]


def test_markdown_cell_is_one_line_with_its_bars_escaped() -> None:
    assert render_markdown(("x",), [("  a|b\n\nc ",)])[-1] == r"| a\|b c |"
