"""Upgrade drill: what it counts as lost."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.harness.upgrade import REFUSED, lost, main


@pytest.mark.parametrize(
    ("results", "replaced", "expected"),
    [
        ({"200": 9}, False, 0),
        ({"200": 9, "502": 1}, True, 1),
        ({"200": 9, REFUSED: 3}, False, 3),
        ({"200": 9, REFUSED: 3, "ServerDisconnectedError": 1}, True, 1),
    ],
)
def test_refused_is_lost_unless_the_gateway_was_made_anew(
    results: dict[str, int], replaced: bool, expected: int
) -> None:
    assert lost(Counter(results), replaced=replaced) == expected


def test_drill_wants_a_commit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "COMMIT" in capsys.readouterr().err
