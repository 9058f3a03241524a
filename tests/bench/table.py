"""Tables of benchmarks in plain text, and what was measured under: commit, machine, versions."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def render(rows: Sequence[Sequence[str]]) -> str:
    """Align the rows' columns; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def spread(values: Sequence[float], form: str) -> str:
    """Say median and extremes, each in this format: `3.1 (2.9 to 3.3)`."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}} ({low:{form}} to {high:{form}})"


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """Divide round by round and take the median: what slows a whole round of the machine cancels out."""
    return statistics.median(value / other for value, other in zip(values, base, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least this percentage of the values does not exceed (nearest rank)."""
    if not values:
        raise ValueError("percentile: must have values, got none")
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def conditions(versions: dict[str, str]) -> str:
    """Say in one line the commit, the time, the cores, how busy the machine is and the versions."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty=, changed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    commit = asked.stdout.strip() or "unknown"
    load = os.getloadavg()[0]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"commit {commit}; {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC; {os.cpu_count()} cores, "
        f"load {load:.1f}; {named}"
    )
