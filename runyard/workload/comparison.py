"""Comparison of two runs: what differs by more than chance, by intervals of a bootstrap; pure.

A run is cut into stretches of a second or more, and stretches are drawn again with replacement, whole ones because
neighbouring requests are not independent (a block bootstrap: Kuensch 1989). The interval is the middle 95 % of the
differences so drawn (Efron 1979, percentile method); a difference counts where it does not hold 0.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runyard.errors import UsageError
from runyard.table import render_columns, render_markdown
from runyard.workload import buckets
from runyard.workload.outcome import Outcome, Stretch

_DRAWS = 1000
_INTERVAL = 0.95
# With fewer stretches, what is drawn is hardly ever something else than what is there.
LEAST_STRETCHES = 10
_HEAD = ("measure", "before", "after", "difference", "95 % of chance", "")


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure of both runs, their difference, and the interval that chance leaves it in; `verdict` is in a word."""

    measure: str
    before: float
    after: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, slots=True)
class _Sums:
    """Stretches added up, each as often as it was drawn."""

    attempted: float
    served: float
    seconds: float
    counts: dict[int, float]


Measure = Callable[[_Sums], float]
# Of each its name, how it is taken, and whether less of it is better.
_MEASURES: tuple[tuple[str, Measure, bool], ...] = (
    ("p50 ms", lambda sums: buckets.quantile(sums.counts, 0.5), True),
    ("p90 ms", lambda sums: buckets.quantile(sums.counts, 0.9), True),
    ("p99 ms", lambda sums: buckets.quantile(sums.counts, 0.99), True),
    ("failed %", lambda sums: 100 * (1 - sums.served / sums.attempted) if sums.attempted else 0.0, True),
    ("served a second", lambda sums: sums.served / sums.seconds, False),
)


def compare(before: Outcome, after: Outcome, seed: int = 1) -> tuple[Difference, ...]:
    """Compare two runs without their warm-up; the same seed gives the same intervals. UsageError for too short ones."""
    # To be repeated: no secret hangs on it.
    chance = random.Random(seed)  # noqa: S311
    measured = [_measured(each) for each in (before, after)]
    drawn = [_draw(stretches, chance) for stretches in measured]
    whole = [_sum(stretches, Counter(range(len(stretches)))) for stretches in measured]
    return tuple(
        _difference(name, less, [measure(each) for each in whole], [[measure(each) for each in part] for part in drawn])
        for name, measure, less in _MEASURES
    )


def describe_comparison(before: Outcome, after: Outcome, found: Sequence[Difference]) -> dict[str, Any]:
    """Give a comparison as plain data."""
    return {
        "before": before.name,
        "after": after.name,
        "differences": [
            {
                "measure": each.measure,
                "before": _number(each.before),
                "after": _number(each.after),
                "low": _number(each.low),
                "high": _number(each.high),
                "verdict": each.verdict,
            }
            for each in found
        ],
    }


def render_comparison(found: Sequence[Difference]) -> str:
    """Render a comparison for a terminal."""
    return "\n".join(render_columns([_HEAD, *_rows(found)], {1, 2, 3})) + "\n"


def render_comparison_markdown(found: Sequence[Difference]) -> str:
    """Render a comparison as Markdown."""
    return "\n".join(render_markdown(_HEAD, _rows(found), {1, 2, 3})) + "\n"


def _rows(found: Sequence[Difference]) -> list[tuple[str, ...]]:
    return [
        (
            each.measure, f"{each.before:.4g}", f"{each.after:.4g}", f"{each.after - each.before:+.4g}",
            f"{each.low:+.4g} to {each.high:+.4g}", each.verdict,
        )
        for each in found
    ]  # fmt: skip


def _measured(outcome: Outcome) -> list[Stretch]:
    found = [each for each in outcome.stretches if not each.warm_up]
    if len(found) < LEAST_STRETCHES:
        raise UsageError(
            f"compare {outcome.name}: must have at least {LEAST_STRETCHES} stretches of a second or more after its"
            f" warm-up, got {len(found)}"
        )
    return found


def _draw(stretches: Sequence[Stretch], chance: random.Random) -> list[_Sums]:
    numbers = range(len(stretches))
    return [_sum(stretches, Counter(chance.choices(numbers, k=len(stretches)))) for _ in range(_DRAWS)]


def _sum(stretches: Sequence[Stretch], times: Counter[int]) -> _Sums:
    counts: dict[int, float] = {}
    attempted, served, seconds = 0.0, 0.0, 0.0
    for number, often in times.items():
        each = stretches[number]
        attempted += often * each.attempted
        served += often * each.served
        seconds += often * each.length_s
        for bucket, count in each.counts:
            counts[bucket] = counts.get(bucket, 0.0) + often * count
    return _Sums(attempted, served, seconds, counts)


def _difference(name: str, less: bool, seen: Sequence[float], drawn: Sequence[Sequence[float]]) -> Difference:
    # Both are drawn independently, so any pairing of them is as good as another.
    differences = sorted(after - before for before, after in zip(*drawn, strict=True))
    margin = (1 - _INTERVAL) / 2
    low, high = (differences[round(part * (_DRAWS - 1))] for part in (margin, 1 - margin))
    before, after = seen
    if math.isnan(low) or math.isnan(high) or low <= 0 <= high:
        verdict = "within noise"
    else:
        verdict = "better" if (high < 0) == less else "worse"
    return Difference(name, before, after, low, high, verdict)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
