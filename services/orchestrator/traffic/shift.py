"""Shift: traffic on its way from old shares to new ones, as a pure function of how long it has been under way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from runyard.contracts import TrafficShare

# The gateway takes shares in milliseconds; steps closer together than this would show nobody anything.
STEP_S = 1.0


def moved_percent(elapsed_s: float, duration_s: float) -> int:
    """Tell how much of a shift is done: 1 % at once, the rest in equal steps, all of it at its end.

    This is Knative's step function (serving, pkg/reconciler/route/traffic/rollout.go): a step is as small as time
    allows, and at least one percent.
    """
    if elapsed_s >= duration_s:
        return 100
    size, every_s = _steps(duration_s)
    return min(100, 1 + size * math.floor(max(0.0, elapsed_s) / every_s))


def next_step_s(elapsed_s: float, duration_s: float) -> float:
    """Give the seconds until the next step; 0 when the shift is at its end."""
    if elapsed_s >= duration_s:
        return 0.0
    _, every_s = _steps(duration_s)
    elapsed_s = max(0.0, elapsed_s)
    return (math.floor(elapsed_s / every_s) + 1) * every_s - elapsed_s


def _steps(duration_s: float) -> tuple[int, float]:
    """Give the size of a step in percent and its time in seconds."""
    most = max(1, min(99, math.floor(duration_s / STEP_S)))
    size = math.ceil(99 / most)
    return size, duration_s / math.ceil(99 / size)


def percents(traffic: Iterable[TrafficShare]) -> dict[str, int]:
    """Sum the percent of each revision, in the order in which they are named."""
    found: dict[str, int] = {}
    for share in traffic:
        found[share.revision] = found.get(share.revision, 0) + share.percent
    return found


def gaining(before: Iterable[TrafficShare], after: Iterable[TrafficShare]) -> dict[str, int]:
    """Give the revisions that get more than they had, with how much more."""
    had = percents(before)
    return {name: value - had.get(name, 0) for name, value in percents(after).items() if value > had.get(name, 0)}


def shift_traffic(
    before: tuple[TrafficShare, ...], after: tuple[TrafficShare, ...], moved: int
) -> tuple[TrafficShare, ...]:
    """Give the traffic when `moved` percent of the difference have moved; tags are the new ones from the first on."""
    gains, losses = gaining(before, after), gaining(after, before)
    points = sum(gains.values()) * moved // 100
    if moved and gains:
        # Of a difference of a few points, a hundredth would be none.
        points = max(1, points)
    current = percents(before)
    for name, value in apportion(points, gains).items():
        current[name] = current.get(name, 0) + value
    for name, value in apportion(points, losses).items():
        current[name] -= value
    shares = []
    for share in after:
        # A revision may be named several times, for its tags; it gets its percent once.
        shares.append(TrafficShare(share.revision, current.pop(share.revision, 0), share.tag))
    return (*shares, *(TrafficShare(name, value) for name, value in current.items() if value))


def apportion(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide whole points by weight, none left over, the largest remainders first (Hamilton); ties go by order."""
    whole = sum(weights.values())
    if not whole:
        return {}
    given = {name: total * weight // whole for name, weight in weights.items()}
    remainders = sorted(weights, key=lambda name: -(total * weights[name] % whole))
    for name in remainders[: total - sum(given.values())]:
        given[name] += 1
    return given
