"""Scaler: how many instances a revision should have now, or that it keeps what it has because nobody can tell; pure.

Up is quick and down is slow. What waits, and a rise beyond the panic threshold, count over two seconds; a smaller rise
counts over the panic window and over the window, once it is beyond their tolerances. Instances are removed when neither
the window's average nor any rise within the window needs them, a few of many when that average did not for five
windows; at most half of them every two seconds; the last one after a window without any request. What was not told is
never taken for no load.

All state is in the `Memory` that the caller keeps for each revision, and time is an argument: equal calls in equal
order give equal decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from runyard.contracts import SignalKind
from runyard.scaling.counts import Span
from runyard.scaling.decision import Decision, Inputs, Why
from runyard.scaling.peaks import Peaks
from runyard.scaling.settings import ScalingSettings
from runyard.scaling.window import REACTION_S, Sample, Totals, Window

# Samples come five times a second; after as long without one, what was read last says nothing of now.
STALE_S = 3.0
# What is beyond the targets and moves nothing yet: of the panic window's average, which with targets of 70 % is then
# 87 % of what an instance takes, and of the window's, 77 %. What waits tells of any that is too much.
SHORT_TOLERANCE, TOLERANCE = 0.25, 0.1
# Where between the targets and that bound the window's average puts a new count, so that neither a little more nor a
# little less moves it again.
_AIM = 1 + TOLERANCE / 2
# Removing no more than this part of the instances is a small step down, which waits for five windows.
SMALL_STEP = 0.2
# Below this part of its instances a revision is so idle that a step down is not small.
_CLEARLY_LESS = 0.5
# Knative's own tick: instances are at most halved so often.
HALVING_S = 2.0
# How long the requests that wait may take to be worked off, beside those that arrive, by all that instances can take.
# Within it the slack of a start's length of waiting is worked off without instances that would come too late for it.
DRAIN_S = 2.0
# The part of a window that must have been told before instances are removed by what it says.
COVERAGE = 0.9
# What counting in floating point leaves of a whole number.
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Situation:
    """What a revision has at a moment: `count` instances wanted until now, `ready` of them, and what it may have.

    `woken` says that a request waits for it, whatever the samples tell, and `shared` that the most of `span` is its
    share of a host that is full.
    """

    count: int
    ready: int
    span: Span
    woken: bool = False
    shared: bool = False


class Memory:
    """What is remembered of a revision between decisions; the caller keeps one for each, from its first sample on.

    A new memory, as after a restart, has seen nothing, so until a window has passed instances are only added.
    """

    def __init__(self, settings: ScalingSettings, now_s: float) -> None:
        self.window = Window(settings.window_s, settings.panic_window_s, settings.aggregation)
        # Of what was needed for seconds, and of the window's average, which a moment's rise does not move.
        self.peaks = Peaks(settings.calm_s)
        self.trends = Peaks(settings.hold_s)
        self.since_s = now_s
        # The last moment at which there was any request.
        self.busy_s = now_s
        self.removed_s = -math.inf
        # How long a request was served when that could last be told, which outlives a sleep.
        self.took_s: float | None = None

    def observe(self, sample: Sample) -> None:
        """Take what was read of the revision at a moment."""
        self.window.add(sample)
        took = self.window.service_s
        if took is not None:
            self.took_s = took


def decide(settings: ScalingSettings, memory: Memory, situation: Situation, now_s: float) -> Decision:
    """Decide how many instances a revision should have; `now_s` is of the samples' clock, and never goes back."""
    least, most = situation.span.least, situation.span.most
    if least == most:
        return Decision(least, situation.count, Why.FIXED)
    window = memory.window
    window.roll(now_s)
    last = window.last
    # Whoever waits gets an instance, told or not.
    woken = int(situation.woken) if situation.count else int(situation.woken) * settings.activation
    if last is None or now_s - last.at_s > STALE_S:
        why = Why.STALE if situation.count >= woken else Why.WOKEN
        return _bounded(situation, max(situation.count, woken), why, Inputs(silent_s=_age(last, now_s)))
    inputs = _inputs(settings, memory, situation, now_s)
    if situation.woken or inputs.requests or inputs.lately:
        memory.busy_s = now_s
    memory.peaks.add(now_s, inputs.rise)
    memory.trends.add(now_s, inputs.trend)
    if inputs.beyond > situation.count:
        least_of_all = 1 if situation.count else settings.activation
        return _bounded(situation, max(instances_for(inputs.need), situation.count, least_of_all), Why.MORE, inputs)
    if situation.count < woken:
        return _bounded(situation, woken, Why.WOKEN, inputs)
    return _fewer(settings, memory, situation, inputs, now_s)


def instances_for(need: float) -> int:
    """Give how many instances carry a need: that many, in whole ones."""
    return math.ceil(need - _EPSILON)


def _inputs(settings: ScalingSettings, memory: Memory, situation: Situation, now_s: float) -> Inputs:
    """Measure every signal over the three windows, and take the one that needs the most instances."""
    last = memory.window.last
    assert last is not None  # noqa: S101 - not stale
    recent = memory.window.recent()
    best = Inputs(
        last.in_flight + last.waiting, last.waiting, situation.ready, recent.arrivals > 0 or recent.request_ms > 0
    )
    for signal in settings.signals:
        values = _values(signal.kind, memory, recent, situation)
        if values is None:
            best.unknown = signal.kind
            continue
        now, short, long = (value / signal.target for value in values)
        rise, trend = short / (1 + SHORT_TOLERANCE), long / _AIM
        over_s, value = (settings.panic_window_s, values[1]) if rise > trend else (settings.window_s, values[2])
        sudden = now if now >= settings.panic_ratio * max(1, situation.ready) else 0.0
        if signal.kind == "concurrency" and last.waiting:
            # What waits is worked off by all that instances can take, not by what they are to have.
            # Both may tell of the same requests; with a place for each that is there, none waits.
            at_once = min(values[0] + _backlog(memory, recent, situation), best.requests)
            sudden = max(sudden, at_once / settings.capacity)
        if sudden > max(rise, trend):
            rise, over_s, value = sudden, REACTION_S, values[0]
        need = max(rise, trend)
        if need > best.need or not best.signal:
            best.signal, best.value, best.target, best.need = signal.kind, value, signal.target, need
            best.over_s = over_s
        best.rise, best.trend = max(best.rise, rise), max(best.trend, trend)
        best.beyond = max(best.beyond, rise, long / (1 + TOLERANCE))
    return best


def _values(
    kind: SignalKind, memory: Memory, recent: Totals, situation: Situation
) -> tuple[float, float, float] | None:
    """Give a signal's value over the reaction, the panic and the stable window; None for what was not told."""
    window = memory.window
    short, long, last = window.short(), window.stable, window.last
    if kind == "concurrency":
        return _work(memory, recent, situation), _served(short), _served(long)
    if kind == "rps":
        return recent.rps, short.rps, long.rps
    if not situation.ready:
        # What the last instances left in the window asks for no new one.
        return 0.0, 0.0, 0.0
    if kind == "cpu":
        # An instance that starts works more than one that serves, so two seconds of it say nothing.
        return (short.cpu_millis, short.cpu_millis, long.cpu_millis) if short.cpu_covered_ms else None
    held = last.memory_bytes if last else None
    return None if held is None else (float(held), float(held), float(held))


def _served(totals: Totals) -> float:
    return max(totals.concurrency - totals.waiting, 0.0)


def _work(memory: Memory, recent: Totals, situation: Situation) -> float:
    """Give the requests at once that would be served if none had to wait.

    What waits grows for as long as there are too few instances, so it tells how late they are and not how many are
    needed; that is what a request takes, times the arrivals.
    """
    last, took, served = memory.window.last, memory.took_s, _served(recent)
    if last is None or not last.waiting:
        return served
    if not situation.ready:
        served = float(last.in_flight)
    # Of longer requests two seconds of arrivals are too few to go by; those that wait tell then.
    arriving = recent.rps * took if took is not None and took <= REACTION_S else 0.0
    # Of what was told for less time than a request takes, no rate can be had: no more are there than came.
    return max(served, min(arriving, recent.arrivals))


def _backlog(memory: Memory, recent: Totals, situation: Situation) -> float:
    """Give the requests at once that work off what waits, in time; all, if nobody knows how long they take."""
    took, last = memory.took_s, memory.window.last
    if last is None:
        return 0.0
    # A single request that waits for a moment is no backlog; before the first instance every one is.
    waiting = min(last.waiting, recent.waiting) if situation.ready else float(last.waiting)
    return waiting * (1.0 if took is None else min(1.0, took / DRAIN_S))


def _fewer(settings: ScalingSettings, memory: Memory, situation: Situation, inputs: Inputs, now_s: float) -> Decision:
    """Decide whether instances are removed, and keep what there is when it cannot be told."""
    count, peaks = situation.count, memory.peaks
    if inputs.unknown:
        return _bounded(situation, count, Why.UNKNOWN, inputs)
    if count and memory.window.coverage < COVERAGE:
        inputs.coverage = memory.window.coverage
        return _bounded(situation, count, Why.UNCOVERED, inputs)
    trends = memory.trends.highest(now_s, settings.scale_down_delay_s)
    inputs.peak = max(peaks.highest(now_s, settings.calm_s), trends)
    inputs.idle_s = now_s - memory.busy_s
    wanted = instances_for(inputs.peak)
    if wanted <= 1:
        # The CPU and memory of an instance that nobody calls do not keep it; the time for idle services does.
        wanted = 0 if inputs.idle_s >= settings.idle_s else 1
    if wanted >= count:
        why = Why.RETAINED if count == 1 and not inputs.need else Why.STEADY
        return _bounded(situation, count, why, inputs)
    if not wanted:
        inputs.peak = 0.0
    elif count - wanted <= max(1, SMALL_STEP * count) and inputs.peak > _CLEARLY_LESS * (count - 1):
        inputs.peak = max(inputs.peak, memory.trends.highest(now_s, settings.hold_s))
        wanted = instances_for(inputs.peak)
        if wanted >= count or now_s - memory.since_s < settings.hold_s:
            return _bounded(situation, count, Why.HELD, inputs)
    if now_s - memory.removed_s < HALVING_S:
        return _bounded(situation, count, Why.HALVING, inputs)
    # The last two are halved to one; only then may the last one go.
    fewer = _bounded(situation, max(wanted, count // 2 + count % 2 if count > 1 else 0), Why.FEWER, inputs)
    if fewer.count < count:
        memory.removed_s = now_s
    return fewer


def _bounded(situation: Situation, wanted: int, why: Why, inputs: Inputs) -> Decision:
    """Keep a count within what the revision may have, and say so where that changed it."""
    span = situation.span
    count = max(wanted, span.least)
    if span.most is not None:
        count = min(count, span.most)
    if count < wanted:
        why = Why.SHARE if situation.shared else Why.MOST
    elif count > wanted:
        why = Why.LEAST
    inputs.wanted = wanted
    return Decision(count, situation.count, why, inputs, span)


def _age(last: Sample | None, now_s: float) -> float | None:
    return None if last is None else now_s - last.at_s
