"""Floors: how much of each tree the tests that need no engine must run, in percent of lines and branches.

python -m tests.harness.floors, after a run with --cov; prints each tree's and ends with 1 beneath a floor.
"""

from __future__ import annotations

import sys
from io import StringIO

from coverage import Coverage

# What is left is what only a live stack runs: `runyard verify` with its checks, the entries of programs, and calls of a
# real engine; tests/e2e has those. Go and Lua have no coverage that is measured here.
FLOORS = {"runyard": 96, "components": 85, "policies": 85, "provider": 85, "services": 85}


def check_floors(measured: dict[str, float]) -> list[str]:
    """Say which trees are beneath their floor."""
    return [
        f"coverage of {tree}: must be at least {floor} %, is {measured[tree]:.1f} %"
        for tree, floor in FLOORS.items()
        if measured[tree] < floor
    ]


def main() -> int:
    """Read the data of the last run, and check it."""
    data = Coverage()
    data.load()
    measured = {tree: data.report(include=[f"{tree}/*"], file=StringIO()) for tree in FLOORS}
    for tree, percent in measured.items():
        print(f"coverage of {tree}: {percent:.1f} %")
    problems = check_floors(measured)
    for each in problems:
        print(f"error: {each}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
