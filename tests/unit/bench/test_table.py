"""What the benchmarks' tables compute from what was measured."""

from __future__ import annotations

import pytest

from tests.bench import table


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(value) for value in range(1000, 0, -1)]
    assert [table.percentile(values, percent) for percent in (0, 50, 99, 99.9, 100)] == [1, 500, 990, 999, 1000]
    assert table.percentile([7.0], 99.9) == 7


def test_percentile_refuses_nothing() -> None:
    with pytest.raises(ValueError, match="must have values, got none"):
        table.percentile([], 50)


def test_ratio_compares_within_the_rounds() -> None:
    # The second round of the machine was ten times slower for both.
    assert table.ratio([50, 5, 60], [100, 10, 100]) == 0.5


def test_ratio_refuses_rounds_that_were_not_taken_by_both() -> None:
    with pytest.raises(ValueError, match="shorter"):
        table.ratio([1, 2], [1])


def test_spread_says_median_and_extremes() -> None:
    assert table.spread([3.0, 1.0, 2.0], ".1f") == "2.0 (1.0 to 3.0)"


def test_render_aligns_the_columns() -> None:
    assert table.render([["", "rate"], ["ours", "7"], ["a", "12"]]) == "      rate\nours  7\na     12"


def test_conditions_name_commit_and_versions() -> None:
    text = table.conditions({"nginx": "1.22.1", "Caddy": "2.11.7"})
    assert text.startswith("commit ")
    assert text.endswith("nginx 1.22.1, Caddy 2.11.7")
