"""Objective message: what a service promises whoever calls it, and by which times requests are counted."""

from __future__ import annotations

from dataclasses import dataclass

# What Cloud Run's and Knative's requests take, from milliseconds to minutes, in seconds: the upper bounds by which the
# meter counts them, and so the times that an objective can be judged by.
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Objective:
    """Which part of a service's requests may be answered with an error of the server, and which later than `latency_s`.

    Both are above 0 and below 1; where `errors` is 0 nothing is promised, and where `slow` is, no time.
    """

    errors: float = 0.001
    latency_s: float = 0.2
    slow: float = 0.05

    @property
    def none(self) -> bool:
        """Whether nothing is promised."""
        return not self.errors
