"""Simulation of a revision under a trace, in steps of equal length, with the count that a decider gives; pure.

A request takes a place of an instance for its time, shared over the steps that it lies in; one that finds no place
waits, first come, first served. An instance that is wanted takes its requests after the time of a start; one that is
wanted no more takes none, and is there until its last is done. What happens within a step happens at once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from runyard.scaling.counts import Span
from runyard.scaling.scaler import Memory, Situation, decide
from runyard.scaling.settings import ScalingSettings
from runyard.scaling.window import Sample

# What counting in floating point leaves of a whole place.
_EPSILON = 1e-9
_MANY = 1 << 30


class Batch(NamedTuple):
    """Requests that come at one moment, and how long each is served; both in seconds."""

    at_s: float
    requests: int
    request_s: float


@dataclass(frozen=True, slots=True)
class Model:
    """What a simulated revision is: `capacity` requests at once of an instance, and the time of its start.

    `changes_s` are the moments, in their order, at which another count may be wanted though no request comes.
    An instance that is wanted no more goes on for `grace_s`, and is not started again if it is wanted within that time.
    """

    capacity: float
    start_s: float = 0.3
    step_s: float = 1.0
    changes_s: tuple[float, ...] = ()
    grace_s: float = 0.0


class Decider(Protocol):
    """Whoever says how many instances there should be."""

    def count(self, sample: Sample, wanted: int, ready: int) -> int:
        """Give the count, of what is told now, wanted until now and ready."""


class Scaled:
    """Runyard's own decision, within the fewest and most instances of a revision.

    `later` has the moments, in their order, from which on these are others.
    """

    def __init__(self, settings: ScalingSettings, span: Span, later: Sequence[tuple[float, Span]] = ()) -> None:
        self._settings, self._span, self._later = settings, span, deque(later)
        self._memory = Memory(settings, 0.0)

    def count(self, sample: Sample, wanted: int, ready: int) -> int:
        """Decide from the samples up to this one."""
        self._memory.observe(sample)
        while self._later and self._later[0][0] <= sample.at_s:
            _, self._span = self._later.popleft()
        situation = Situation(wanted, ready, self._span, sample.waiting > 0)
        return decide(self._settings, self._memory, situation, sample.at_s).count


class Unbounded:
    """Somebody who knows the future: as many instances as the requests of the moment fill, and no start to wait for."""

    def count(self, sample: Sample, wanted: int, ready: int) -> int:
        """Give more than anybody needs; what is used of it is what was needed."""
        return _MANY


class Moment(NamedTuple):
    """What there was at a moment, of a trace drawn or told: requests at once in and before instances."""

    at_s: float
    wanted: int
    ready: int
    served: float
    waiting: int


@dataclass(slots=True)
class Outcome:
    """What became of a trace; all times in seconds.

    `instance_s` are the seconds of all instances, `active_s` those in which they had a request, `late_s` the seconds
    that requests waited, all together. `cold_starts` are starts that a request waited for because there was no
    instance, of all `starts`. `responses` counts requests by their milliseconds, waiting and served.
    """

    length_s: float = 0.0
    requests: int = 0
    instance_s: float = 0.0
    active_s: float = 0.0
    late_s: float = 0.0
    starts: int = 0
    cold_starts: int = 0
    peak: int = 0
    turns: int = 0
    responses: dict[int, int] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)

    def percentile_ms(self, percent: float) -> int:
        """Give the milliseconds within which so many percent of the requests were answered; 0 without requests."""
        left = math.ceil(percent / 100 * sum(self.responses.values()))
        for milliseconds, count in sorted(self.responses.items()):
            left -= count
            if left <= 0:
                return milliseconds
        return 0


def simulate(
    trace: Iterable[Batch], length_s: float, model: Model, decider: Decider, *, kept: int = 0, drawn_s: float = 0.0
) -> Outcome:
    """Run a trace of this length, its batches in order of time, from `kept` ready instances on.

    With `drawn_s` the outcome has the moments of every so many seconds.
    """
    world = _World(model, kept)
    outcome, batches = world.outcome, iter(trace)
    batch = next(batches, None)
    step_s, steps = model.step_s, math.ceil(length_s / model.step_s - _EPSILON)
    drawn = max(1, round(drawn_s / step_s)) if drawn_s else 0
    step = 0
    while step < steps:
        ends_s = (step + 1) * step_s
        while batch is not None and batch.at_s < ends_s - _EPSILON:
            world.arrive(step, batch)
            batch = next(batches, None)
        sample = world.serve(step, ends_s)
        wanted = world.wanted
        world.want(step, decider.count(sample, wanted, world.ready))
        if drawn and step % drawn == 0:
            moment = Moment(ends_s, world.wanted, min(world.ready, world.alive), world.used, sample.waiting)
            outcome.moments.append(moment)
        step += 1
        idle = not sample.in_flight and not sample.waiting and not world.ready
        if idle and not wanted and not world.wanted and not drawn:
            # Nothing is and nothing happens before the next request comes.
            changes = model.changes_s[bisect_right(model.changes_s, ends_s) :][:1]
            comes = [int(at_s / step_s + _EPSILON) for at_s in (*changes, *(() if batch is None else (batch.at_s,)))]
            until = min([steps, *comes])
            step = max(step, until)
    outcome.length_s = length_s
    return outcome


class _World:
    """Instances, requests and the places that they take, at one step."""

    def __init__(self, model: Model, kept: int) -> None:
        self.outcome = Outcome(peak=kept)
        self.wanted = self.ready = kept
        self.used = 0.0
        self.alive = kept
        self._model = model
        self._starting: deque[int] = deque()
        # Requests that wait: the step in which they came, how many, how long each is served.
        self._line: deque[tuple[int, int, float]] = deque()
        self._waiting = 0
        # Places taken for whole steps, and what changes of them at steps to come.
        self._full = 0
        self._leaving: dict[int, int] = {}
        self._parts: dict[int, float] = {}
        self._arrivals = 0
        self._request_ms = 0.0
        self._way = 0
        self._start_steps = max(0, math.ceil(model.start_s / model.step_s - _EPSILON))
        # Ready instances that are wanted no more, by the step in which each goes.
        self._going: deque[int] = deque()
        self._grace_steps = max(0, math.ceil(model.grace_s / model.step_s - _EPSILON))

    def arrive(self, step: int, batch: Batch) -> None:
        """Put requests at the end of the line."""
        self._line.append((step, batch.requests, batch.request_s))
        self._waiting += batch.requests
        self._arrivals += batch.requests

    def serve(self, step: int, now_s: float) -> Sample:
        """Give places to those that wait, count what there was, and tell what a gateway would."""
        starting, outcome, model = self._starting, self.outcome, self._model
        while starting and starting[0] <= step:
            starting.popleft()
            self.ready += 1
        while self._going and self._going[0] <= step:
            self._going.popleft()
            self.ready -= 1
        self._full -= self._leaving.pop(step, 0)
        self.used = self._full + self._parts.pop(step, 0.0)
        if self._line:
            self._admit(step)
        used, step_s = self.used, model.step_s
        # An instance that is wanted no more is there until its requests are done.
        busy = math.ceil(used / model.capacity - _EPSILON)
        self.alive = busy if self.ready == _MANY else max(self.ready, busy) + len(starting)
        outcome.instance_s += self.alive * step_s
        outcome.active_s += min(used, self.alive) * step_s
        outcome.late_s += self._waiting * step_s
        outcome.peak = max(outcome.peak, self.alive)
        self._request_ms += (used + self._waiting) * step_s * 1000
        return Sample(now_s, round(used), self._waiting, self._arrivals, int(self._request_ms))

    def want(self, step: int, count: int) -> None:
        """Start or remove instances, those that start still before those that are ready."""
        if count == self.wanted:
            return
        outcome, way = self.outcome, 1 if count > self.wanted else -1
        outcome.turns += bool(self._way) and way != self._way
        self._way = way
        more = count - self.ready - len(self._starting)
        if more > 0:
            outcome.starts += more
            outcome.cold_starts += bool(self._waiting) and not self.ready and not self._starting
            if self._start_steps:
                self._starting.extend([step + 1 + self._start_steps] * more)
            else:
                self.ready = count
        while more < 0 and self._starting:
            self._starting.pop()
            more += 1
        if self._grace_steps:
            surplus = max(0, -more)
            self._going.extend([step + 1 + self._grace_steps] * (surplus - len(self._going)))
            while len(self._going) > surplus:
                self._going.pop()
        elif more < 0:
            self.ready += more
        self.wanted = count

    def _admit(self, step: int) -> None:
        line, step_s, responses = self._line, self._model.step_s, self.outcome.responses
        free = self.ready * self._model.capacity - self.used
        while line:
            came, requests, request_s = line[0]
            steps = request_s / step_s
            whole = int(steps + _EPSILON)
            part = max(0.0, steps - whole)
            place = 1.0 if whole else part
            taken = requests if place <= 0 else min(requests, int(free / place + _EPSILON))
            if taken <= 0:
                return
            free -= taken * place
            self.used += taken * place
            if whole:
                self._full += taken
                self._leaving[step + whole] = self._leaving.get(step + whole, 0) + taken
                if part > _EPSILON:
                    self._parts[step + whole] = self._parts.get(step + whole, 0.0) + taken * part
            took_ms = round(((step - came) * step_s + request_s) * 1000)
            responses[took_ms] = responses.get(took_ms, 0) + taken
            self.outcome.requests += taken
            self._waiting -= taken
            if taken < requests:
                line[0] = (came, requests - taken, request_s)
                return
            line.popleft()
