"""Arrivals: when each request of a scenario is to begin and where it goes; the same seed gives the same ones."""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_right
from collections.abc import Iterator

from runyard.scaling.trace import SHAPES
from runyard.workload.model import Phase, Scenario

CONSTANT, RAMP = "constant", "ramp"
# What the other shapes of a scenario are: those of the simulator, drawn out or pressed together. Its ramp goes up and
# down again, which is of no use to find where a service bends.
SIMULATED = tuple(name for name in SHAPES if name != RAMP)
# The rate of a shape is taken as even for a thousandth of its phase: its spikes are a twentieth.
_STEPS = 1000


def arrivals(scenario: Scenario) -> Iterator[tuple[float, int]]:
    """Give each request's intended start, in seconds since the run began, in order, and the index of its target.

    `gaps: poisson` takes unit exponentials through the inverse of the cumulated rate (Cinlar 1975, inversion of a
    non-homogeneous Poisson process), `even` takes whole numbers instead.
    """
    # Of a scenario's own seed, to be repeated: no secret hangs on it.
    chance = random.Random(scenario.seed)  # noqa: S311
    weights = list(itertools.accumulate(target.weight for target in scenario.targets))
    began = 0.0
    for phase in scenario.phases:
        for at_s in _phase(phase, chance):
            yield began + at_s, bisect_right(weights, chance.random() * weights[-1])
        began += phase.seconds


def count_arrivals(phase: Phase) -> float:
    """Say how many requests a phase has on average."""
    return sum(amount for _, _, amount in _stretches(phase))


def peak_rate(phase: Phase) -> float:
    """Say how many requests a second there are at a phase's busiest."""
    if not phase.moments:
        return max(amount / (end - start) for start, end, amount in _stretches(phase))
    by_second: dict[int, float] = {}
    for at_s, _, amount in phase.moments:
        by_second[int(at_s)] = by_second.get(int(at_s), 0.0) + amount
    return max(by_second.values())


def rate_at(phase: Phase, at_s: float) -> float:
    """Give a shape's requests a second at a moment of its phase."""
    if phase.name == CONSTANT:
        return phase.rate
    if phase.name == RAMP:
        return phase.begins_with + (phase.rate - phase.begins_with) * at_s / phase.seconds
    shape = SHAPES[phase.name]
    # Half a step from the end, which is the beginning of the next round already.
    return phase.rate * shape.part(min(at_s / phase.seconds, 1 - 0.5 / _STEPS) * shape.length_s)


def _stretches(phase: Phase) -> Iterator[tuple[float, float, float]]:
    """Give stretches of even rate: from, until, and how many requests."""
    if phase.moments:
        yield from phase.moments
    elif phase.name == CONSTANT:
        yield 0.0, phase.seconds, phase.rate * phase.seconds
    else:
        step = phase.seconds / _STEPS
        for index in range(_STEPS):
            yield index * step, (index + 1) * step, rate_at(phase, (index + 0.5) * step) * step


def _phase(phase: Phase, chance: random.Random) -> Iterator[float]:
    """Give the moments of a phase: where the cumulated rate passes the next level."""
    poisson = phase.gaps == "poisson"
    # The first of even ones stands in the middle of its gap, so that phases join without a double or an empty one.
    level = chance.expovariate(1.0) if poisson else 0.5
    passed = 0.0
    for start, end, amount in _stretches(phase):
        while amount > 0 and level <= passed + amount:
            yield start + (end - start) * (level - passed) / amount
            level += chance.expovariate(1.0) if poisson else 1.0
        passed = math.fsum((passed, amount))
