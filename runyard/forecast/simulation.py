"""Simulation of a service under a trace: how many instances, how long requests wait, and what a month of it costs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from runyard.contracts import ScalingSignal
from runyard.errors import UsageError
from runyard.forecast.cost import MONTH_S, price_use
from runyard.manifest.model import Manifests, Service
from runyard.names import service_key
from runyard.scaling.counts import Span
from runyard.scaling.settings import SURPLUS_GRACE_S, ScalingSettings
from runyard.scaling.simulation import Batch, Model, Outcome, Scaled, simulate
from runyard.scaling.trace import SHAPES, shaped

# The load of a shape at its peak, where none is given: as much as needs so many instances.
PEAK_INSTANCES = 10
# The length of a trace up to which its steps are so long: as often as the decision is asked, if that is not too many. A
# week is to take less than ten seconds; two seconds are the longest that the decision takes for no gap.
_STEPS_S = ((7200, 0.2), (2 * 86_400, 1.0), (math.inf, 2.0))
# A picture has no more points than a screen across.
_POINTS = 600
# What a trace tells of a service; how much CPU and memory its requests take it does not.
_TOLD = ("concurrency", "rps")


@dataclass(frozen=True, slots=True)
class Load:
    """What is simulated: a shape by its name, or batches of a file or a recording; times in seconds.

    `peak_rps` of None is what needs ten instances, or what batches have; `repeated` is how often the trace comes.
    `lasts_s` of None lets batches end a minute after their last request is done. What was recorded began at a moment in
    seconds since 1970; what was not begins at midnight.
    """

    name: str
    batches: Iterable[Batch] | None = None
    peak_rps: float | None = None
    request_s: float = 0.1
    start_s: float = 0.3
    repeated: int = 1
    lasts_s: float | None = None
    begins_unix_s: int | None = None

    @property
    def turn_s(self) -> float:
        """The length of one turn: of a file, until its last request is done, and a minute."""
        if self.lasts_s is not None:
            return self.lasts_s
        if self.batches is None:
            return SHAPES[self.name].length_s
        return math.ceil(max(batch.at_s + batch.request_s for batch in self.batches)) + 60

    @property
    def length_s(self) -> float:
        """The length of all turns."""
        return self.repeated * self.turn_s

    def begins(self, midnight_unix_s: int) -> int:
        """Give the moment at which it begins: its own, or else this midnight."""
        return midnight_unix_s if self.begins_unix_s is None else self.begins_unix_s


# The fewest and most instances from a moment of the trace on, in seconds; the first is 0, and the order is of time.
Spans = Sequence[tuple[float, Span]]


@dataclass(frozen=True, slots=True)
class Simulated:
    """What became of a service under a load; `month_cost` is of a month that is like the trace throughout.

    `span` has the fewest and most instances that it may have at any moment of the trace.
    """

    service: str
    load: Load
    peak_rps: float
    span: Span
    outcome: Outcome
    currency: str
    month_cost: Decimal
    left_out: tuple[str, ...] = ()

    @property
    def mean_instances(self) -> float:
        """Instances on average of the trace."""
        return self.outcome.instance_s / self.outcome.length_s


def simulate_service(
    service: Service, settings: ScalingSettings, spans: Spans, load: Load, terms: tuple[Manifests, str]
) -> Simulated:
    """Simulate a service with the decision that scales it live; `terms` are the manifests and the ISO date of prices.

    UsageError where nothing that a trace tells scales the service.
    """
    signals = tuple(signal for signal in settings.signals if signal.kind in _TOLD)
    left_out = tuple(signal.kind for signal in settings.signals if signal.kind not in _TOLD)
    key = service_key(service.tenant, service.name)
    if not signals:
        raise UsageError(f"{key}: must scale by concurrency or rps to be simulated, got {', '.join(left_out)}")
    peak_rps = _peak(signals, load)
    length_s = load.length_s
    step_s = step_of(length_s)
    outcome = simulate(
        _batches(load, peak_rps, step_s),
        length_s,
        Model(settings.capacity, load.start_s, step_s, tuple(at_s for at_s, _ in spans[1:]), SURPLUS_GRACE_S),
        Scaled(dataclasses.replace(settings, signals=signals), spans[0][1], spans[1:]),
        kept=spans[0][1].least,
        drawn_s=max(step_s, length_s / _POINTS),
    )
    currency, cost = _month_cost(service, _least_s(spans, length_s), outcome, terms)
    return Simulated(key, load, peak_rps, _widest(spans), outcome, currency, cost, left_out)


def step_of(length_s: float) -> float:
    """Give the length in seconds of the steps in which a trace of this length is simulated."""
    return next(step_s for longest_s, step_s in _STEPS_S if length_s <= longest_s)


def _widest(spans: Spans) -> Span:
    most = [span.most for _, span in spans if span.most is not None]
    return Span(min(span.least for _, span in spans), max(most) if len(most) == len(spans) else None)


def _least_s(spans: Spans, length_s: float) -> float:
    """Give the seconds of the instances that are kept whatever comes."""
    ends_s = [*(at_s for at_s, _ in spans[1:]), length_s]
    return sum(span.least * (until_s - at_s) for (at_s, span), until_s in zip(spans, ends_s, strict=True))


def price_again(simulated: Simulated, service: Service, spans: Spans, terms: tuple[Manifests, str]) -> Simulated:
    """Give what became of a service as it costs by another manifest of it, which scales it in the same way."""
    least_s = _least_s(spans, simulated.load.length_s)
    currency, cost = _month_cost(service, least_s, simulated.outcome, terms)
    return dataclasses.replace(simulated, currency=currency, month_cost=cost)


def _peak(signals: Sequence[ScalingSignal], load: Load) -> float:
    if load.peak_rps is not None:
        return load.peak_rps
    if load.batches is not None:
        seconds: dict[int, int] = {}
        for batch in load.batches:
            seconds[int(batch.at_s)] = seconds.get(int(batch.at_s), 0) + batch.requests
        return float(max(seconds.values()))
    each = [one.target / load.request_s if one.kind == "concurrency" else one.target for one in signals]
    return PEAK_INSTANCES * min(each)


def _batches(load: Load, peak_rps: float, step_s: float) -> Iterable[Batch]:
    if load.batches is None:
        return shaped(SHAPES[load.name], peak_rps, load.request_s, step_s, load.repeated)
    # Once: of a file, it is found in all of its batches.
    turn_s = load.turn_s
    return (batch._replace(at_s=batch.at_s + turn * turn_s) for turn in range(load.repeated) for batch in load.batches)


def _month_cost(
    service: Service, least_s: float, outcome: Outcome, terms: tuple[Manifests, str]
) -> tuple[str, Decimal]:
    part = Fraction(MONTH_S) / Fraction(outcome.length_s)
    busy = Fraction(outcome.active_s) * part
    # Of what is billed by request, idle instances cost while minScale or a schedule keep them; of the rest, all do.
    by_request = service.template.billed_by_request
    alive = max(busy, Fraction(least_s) * part) if by_request else Fraction(outcome.instance_s) * part
    return price_use(service, (alive, busy, Fraction(outcome.requests) * part), terms[0], terms[1])
