from __future__ import annotations

from tests.harness.floors import FLOORS, check_floors


def test_tree_beneath_its_floor_is_told() -> None:
    measured = {tree: float(floor) for tree, floor in FLOORS.items()} | {"services": 84.94}
    assert check_floors(measured) == ["coverage of services: must be at least 85 %, is 84.9 %"]


def test_trees_on_their_floors_pass() -> None:
    assert check_floors({tree: float(floor) for tree, floor in FLOORS.items()}) == []
