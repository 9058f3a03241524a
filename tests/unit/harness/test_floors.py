from __future__ import annotations

from tests.harness.floors import FLOORS, judge


def test_tree_beneath_its_floor_is_told() -> None:
    measured = {tree: float(floor) for tree, floor in FLOORS.items()} | {"services": 84.94}
    assert judge(measured) == ["coverage of services: must be at least 85 %, is 84.9 %"]


def test_trees_on_their_floors_pass() -> None:
    assert judge({tree: float(floor) for tree, floor in FLOORS.items()}) == []
