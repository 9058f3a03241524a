"""Objective: the grammar of `runyard.dev/slo`, what a service promises and is judged by.

It is settings `NAME=VALUE` separated by commas, such as `availability=99.9%,latency=200ms,fast=95%`.
"""

from __future__ import annotations

import re

from runyard.contracts import BOUNDS_S, Objective
from runyard.manifest.failures import OFF, parse_settings
from runyard.manifest.problems import render_value

SLO = "runyard.dev/slo"
_PERCENT = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,4})?)%")
_TIMES = {f"{each:g}s" if each >= 1 else f"{each * 1000:g}ms": each for each in BOUNDS_S}
# Beyond it, a single error among ten thousand requests would be too many to tell from chance.
_HIGHEST, _LOWEST = 99.99, 50.0


def parse_objective(text: str) -> Objective:
    """Parse `off`, or any of `availability=PERCENT,latency=TIME,fast=PERCENT`; ValueError says which rule is broken.

    TIME is one of those by which requests are counted. What is not said is as in `runyard.contracts.Objective`.
    """
    default = Objective()
    if text == OFF:
        return Objective(0.0, 0.0, 0.0)
    found = parse_settings(text, ("availability", "latency", "fast"))
    return Objective(
        errors=_budget("availability", found["availability"]) if "availability" in found else default.errors,
        latency_s=_time(found["latency"]) if "latency" in found else default.latency_s,
        slow=_budget("fast", found["fast"]) if "fast" in found else default.slow,
    )


def _budget(name: str, text: str) -> float:
    """Give what a percentage leaves, as a ratio."""
    match = _PERCENT.fullmatch(text)
    if match is None or not _LOWEST <= float(match[1]) <= _HIGHEST:
        raise ValueError(f"{name}: must be {_LOWEST:g}% to {_HIGHEST:g}%, got {render_value(text)}")
    # 1 - 0.999 is 0.0010000000000000009, and it is to be told as it was said.
    return round((100 - float(match[1])) / 100, 8)


def _time(text: str) -> float:
    if text not in _TIMES:
        raise ValueError(f"latency: must be one of {', '.join(_TIMES)}, got {render_value(text)}")
    return _TIMES[text]
