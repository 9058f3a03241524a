"""Benchmark of regret: what the decision costs over one that knows the future, beside Knative's own on the same input.

Regret has two halves: instance-seconds over the clairvoyant minimum, and the seconds that requests waited, all of them
together. Whoever keeps everything running has none of the second, whoever starts nothing none of the first.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runyard.contracts import ScalingSignal
from runyard.scaling.counts import Span
from runyard.scaling.settings import ScalingSettings
from runyard.scaling.simulation import Batch, Decider, Model, Outcome, Scaled, Unbounded, simulate
from runyard.scaling.trace import SHAPES
from tests.bench.knative.decider import Knative, knative_binary
from tests.bench.table import render

TRACES = Path(__file__).parent / "traces"
# The decision is asked five times a second; a start takes what it does at p95 in a new network namespace.
STEP_S, START_S = 0.2, 0.3
UTILIZATION = 0.7


@dataclass(frozen=True)
class Case:
    """A trace with a name, its length in seconds, and what an instance takes at once."""

    name: str
    length_s: float
    capacity: int
    batches: Callable[[], Iterator[Batch]]


def by_chance(shape: str, peak_rps: float, request_s: float, seed: int) -> Iterator[Batch]:
    """Make the arrivals of a shape as they come in life, each independent of the others (Poisson), by a seed."""
    chance, known, at_s = random.Random(f"{shape} {seed}"), SHAPES[shape], 0.0
    while at_s < known.length_s:
        # Thinning (Lewis and Shedler 1979): arrivals at the peak's rate, of which the part of the moment stays.
        at_s += chance.expovariate(peak_rps)
        if at_s < known.length_s and chance.random() < known.part(at_s):
            yield Batch(at_s, 1, request_s)


def of_functions(file: Path, faster: float, repeated: int) -> Iterator[Batch]:
    """Read invocations of real functions, their time between them so many times shorter, again and again."""
    with file.open(newline="") as lines:
        rows = [(float(row["end_timestamp"]), float(row["duration"])) for row in csv.DictReader(lines)]
    starts = sorted((max(0.0, end - duration), duration) for end, duration in rows)
    length = starts[-1][0] / faster
    for turn in range(repeated):
        for start, duration in starts:
            yield Batch(turn * length + start / faster, 1, max(duration, 0.001))


def cases(seed: int) -> list[Case]:
    """List the traces: every shape by chance, of short and of longer requests, and those of real functions."""
    found = []
    for shape, known in SHAPES.items():
        for request_s, peak_rps in ((0.1, 400.0), (2.0, 20.0)):
            # A whole day has as much to tell at a tenth of the load.
            peak = peak_rps / (10 if known.length_s > 10_000 else 1)
            name = f"{shape}, {request_s:g} s"
            found.append(Case(name, known.length_s, 10, lambda s=shape, p=peak, r=request_s: by_chance(s, p, r, seed)))
    for number, faster, repeated in ((30, 1, 20), (200, 1, 3), (200, 10, 30)):
        file = TRACES / f"azure2021-{number}.csv"
        batches = list(of_functions(file, faster, repeated))
        name = f"azure {number}" + (f", {faster} times as fast" if faster > 1 else "")
        found.append(Case(name, batches[-1].at_s + 60, 1, lambda kept=batches: iter(kept)))
    return found


def run(case: Case, decider: Decider, start_s: float = START_S) -> Outcome:
    """Run a case with a decider."""
    return simulate(case.batches(), case.length_s, Model(case.capacity, start_s, STEP_S), decider)


def settings_of(case: Case) -> ScalingSettings:
    """Give the decision the target that Knative has, and every default."""
    return ScalingSettings((ScalingSignal("concurrency", UTILIZATION * case.capacity),), capacity=case.capacity)


def main() -> None:
    """Print both halves of the regret of every trace, and their sums."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1, help="chance of the arrivals")
    arguments.add_argument("--only", default="", help="beginning of the names of the traces to run")
    asked = arguments.parse_args()
    binary = knative_binary()
    rows, sums = [], [0.0] * 5
    for case in (each for each in cases(asked.seed) if each.name.startswith(asked.only)):
        least = run(case, Unbounded(), start_s=0).instance_s
        ours = run(case, Scaled(settings_of(case), Span(0, None)))
        knative = Knative(binary, UTILIZATION * case.capacity, case.capacity)
        theirs = run(case, knative)
        knative.close()
        figures = (least, ours.instance_s - least, theirs.instance_s - least, ours.late_s, theirs.late_s)
        sums = [total + figure for total, figure in zip(sums, figures, strict=True)]
        rows.append([case.name, *figures, ours.turns, theirs.turns])
        print(f"{case.name}: done", flush=True)
    heading = [
        "trace",
        "least, instance s",
        "ours over",
        "Knative over",
        "ours late, s",
        "Knative late",
        "turns",
        "K's",
    ]
    told = [
        [str(each if isinstance(each, str) else round(each)) for each in row] for row in [*rows, ["sum", *sums, "", ""]]
    ]
    print(render([heading, *told]))
