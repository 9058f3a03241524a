"""Traces of requests: shapes that are known by name, made the same each time, with no chance in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from runyard.scaling.simulation import Batch

HOUR_S = 3600
DAY_S = 24 * HOUR_S
# The part of the peak that there is outside of it: a site at night, before a step, between spikes.
BASE = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """A load over time: its length in seconds, and the part of the peak that there is at a moment, 0 to 1."""

    length_s: int
    part: Callable[[float], float]


def _day(at_s: float) -> float:
    """Be lowest at four in the morning and highest at four in the afternoon."""
    return BASE + (1 - BASE) * (1 - math.cos(2 * math.pi * (at_s / DAY_S - 1 / 6))) / 2


SHAPES: Mapping[str, Shape] = {
    "step": Shape(HOUR_S, lambda at_s: 1.0 if HOUR_S / 6 <= at_s < HOUR_S * 2 / 3 else BASE),
    "ramp": Shape(HOUR_S, lambda at_s: BASE + (1 - BASE) * max(0.0, 1 - abs(at_s - HOUR_S / 2) / (HOUR_S / 2))),
    # Thirty seconds every ten minutes.
    "spike": Shape(HOUR_S, lambda at_s: 1.0 if 300 <= at_s % 600 < 330 else BASE),
    "day": Shape(DAY_S, _day),
    # From three fifths to all and back at once, every two minutes.
    "sawtooth": Shape(HOUR_S, lambda at_s: 0.6 + 0.4 * (at_s % 120) / 120),
    # Ten seconds of a fifth of the peak, every twenty minutes; nothing between them.
    "idle": Shape(2 * HOUR_S, lambda at_s: 0.2 if at_s % 1200 < 10 else 0.0),
}


def shaped(shape: Shape, peak_rps: float, request_s: float, step_s: float, repeated: int = 1) -> Iterator[Batch]:
    """Make the batches of a shape whose peak is so many requests a second, each served for `request_s`."""
    owed, part = 0.0, shape.part
    for step in range(round(repeated * shape.length_s / step_s)):
        at_s = step * step_s
        owed += peak_rps * step_s * part(at_s % shape.length_s)
        if owed >= 1:
            requests = int(owed)
            owed -= requests
            yield Batch(at_s, requests, request_s)
