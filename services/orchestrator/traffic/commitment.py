"""Commitment: a rollout in force, as it is kept on disk; what of it holds at a time is a pure function of that time.

Times are the wall clock's, because they outlive the process: a clock set back makes a shift longer, never undone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from runyard.contracts import RolloutRequest, TrafficShare
from services.orchestrator.traffic.shift import gaining, moved_percent, next_step_s, percents, shift_traffic

# For how long a revision keeps the capacity that it took over, before it settles to its own minimum: Knative's stable
# window, the time over which an autoscaler would have to see little load before it takes instances away.
HOLD_S = 60.0


@dataclass(frozen=True, slots=True)
class HeldCapacity:
    """Instances that a revision keeps whatever its minimum says."""

    revision: str
    instances: int


@dataclass(frozen=True, slots=True)
class Commitment(RolloutRequest):
    """A rollout whose revisions were ready.

    `before` is the traffic that it began with and is empty once all has moved. `since_unix_s` is when the shift began
    (again), and after it when all had moved. `stalled` says that a revision which gains is not ready: the traffic is
    as it was `before`, and the shift begins again when it is.
    """

    before: tuple[TrafficShare, ...] = ()
    since_unix_s: float = 0.0
    stalled: bool = False
    held: tuple[HeldCapacity, ...] = ()


def commit(
    request: RolloutRequest, before: tuple[TrafficShare, ...], held: Mapping[str, int], now_unix_s: float
) -> Commitment:
    """Put a rollout in force now; `before` is the traffic to begin with, empty to move all at once."""
    fields = {each.name: getattr(request, each.name) for each in dataclasses.fields(RolloutRequest)}
    moves = bool(before) and request.duration_s > 0 and bool(gaining(before, request.traffic))
    staying = held if moves else held.keys() & percents(request.traffic)
    kept = tuple(HeldCapacity(name, held[name]) for name in sorted(staying))
    return Commitment(**fields, before=before if moves else (), since_unix_s=now_unix_s, held=kept)


def traffic_in_force(commitment: Commitment, now_unix_s: float) -> tuple[TrafficShare, ...]:
    """Give the traffic at this time."""
    if not commitment.before:
        return commitment.traffic
    moved = 0 if commitment.stalled else moved_percent(now_unix_s - commitment.since_unix_s, commitment.duration_s)
    return shift_traffic(commitment.before, commitment.traffic, moved)


def shares_to_serve(commitment: Commitment) -> dict[str, int]:
    """Give every revision that must be kept, with the largest share that it has or gets."""
    after, before = percents(commitment.traffic), percents(commitment.before)
    return {name: max(after.get(name, 0), before.get(name, 0)) for name in {**after, **before}}


def held_counts(commitment: Commitment, now_unix_s: float) -> dict[str, int]:
    """Give the instances that revisions keep above their minimum at this time."""
    if remaining_hold_s(commitment, now_unix_s) <= 0:
        return {}
    return {each.revision: each.instances for each in commitment.held}


def remaining_hold_s(commitment: Commitment, now_unix_s: float) -> float:
    """Give the seconds for which capacity is still held; while traffic moves, those of the shift come on top."""
    if not commitment.held:
        return 0.0
    return remaining_shift_s(commitment, now_unix_s) + (
        HOLD_S if commitment.before else commitment.since_unix_s + HOLD_S - now_unix_s
    )


def remaining_shift_s(commitment: Commitment, now_unix_s: float) -> float:
    """Give the seconds until all traffic has moved; the whole duration while the shift is stalled."""
    if not commitment.before:
        return 0.0
    elapsed = 0.0 if commitment.stalled else now_unix_s - commitment.since_unix_s
    return max(0.0, commitment.duration_s - max(0.0, elapsed))


def advance(commitment: Commitment, ready: Mapping[str, int], known: Collection[str], now_unix_s: float) -> Commitment:
    """Give the commitment as it is after this look at the revisions: `ready` counts by name, `known` are names.

    A revision that gains and has lost all its instances stalls the shift, and its return begins it again, unless those
    that lose have none either: then nobody would gain by it. A revision that loses and can no longer be made, because
    its document is gone, ends the shift: there is nothing to go back to.
    """
    if not commitment.before:
        return commitment
    losing = gaining(commitment.traffic, commitment.before)
    if not losing.keys() <= set(known):
        return _moved(commitment, now_unix_s)
    missing = any(not ready.get(name) for name in gaining(commitment.before, commitment.traffic))
    lost = missing and (commitment.stalled or any(ready.get(name) for name in losing))
    if lost != commitment.stalled:
        return replace(commitment, stalled=lost, since_unix_s=now_unix_s)
    if not missing and now_unix_s - commitment.since_unix_s >= commitment.duration_s:
        return _moved(commitment, now_unix_s)
    return commitment


def _moved(commitment: Commitment, now_unix_s: float) -> Commitment:
    kept = tuple(each for each in commitment.held if each.revision in percents(commitment.traffic))
    return replace(commitment, before=(), stalled=False, since_unix_s=now_unix_s, held=kept)


def due_in_s(commitment: Commitment, now_unix_s: float) -> float | None:
    """Give the seconds until time alone changes something; None for never."""
    if commitment.stalled:
        return None
    if commitment.before:
        # At its end a shift waits for its revisions to be ready, which is no matter of time.
        return next_step_s(now_unix_s - commitment.since_unix_s, commitment.duration_s) or None
    left = remaining_hold_s(commitment, now_unix_s)
    return left if left > 0 else None
