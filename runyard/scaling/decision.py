"""Decision of the scaler: a count or the count that is held, why, and the numbers that it came from; in words too."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runyard.scaling.counts import Span


class Why(enum.Enum):
    """Why a count is what it is; the value is what it is called in data."""

    FIXED = "fixed"
    STALE = "stale"
    UNKNOWN = "unknown"
    UNCOVERED = "uncovered"
    WOKEN = "woken"
    MORE = "more"
    FEWER = "fewer"
    STEADY = "steady"
    HELD = "held"
    HALVING = "halving"
    RETAINED = "retained"
    LEAST = "least"
    MOST = "most"
    SHARE = "share"


# Decisions that keep a count because the load is not known.
_BLIND = frozenset({Why.STALE, Why.UNKNOWN, Why.UNCOVERED})


@dataclass(slots=True)
class Inputs:
    """What a decision was made from; `need` and `peak` are in instances that have what they are to have.

    `lately` says that there was any request in the last two seconds. `signal` is the one that needs the most, its
    `value` an average over `over_s` seconds and `target` what one instance is to have of it, in the units of
    `runyard.scaling.settings`. `rise` is the need of seconds, `trend` that of the window, `beyond` what of them is over
    the tolerances; `peak` is the most that was needed lately.
    """

    requests: int = 0
    waiting: int = 0
    ready: int = 0
    lately: bool = False
    signal: str = ""
    value: float = 0.0
    target: float = 0.0
    need: float = 0.0
    beyond: float = 0.0
    rise: float = 0.0
    trend: float = 0.0
    over_s: int = 0
    peak: float | None = None
    wanted: int = 0
    unknown: str = ""
    coverage: float | None = None
    silent_s: float | None = None
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How many instances there should be, and how many should have been before; `hold` when the load is not known."""

    count: int
    before: int
    why: Why
    inputs: Inputs = field(default_factory=Inputs)
    span: Span = field(default_factory=lambda: Span(0, None))

    @property
    def hold(self) -> bool:
        """Whether the count is only held, because what would decide it was not told."""
        return self.why in _BLIND

    @property
    def reason(self) -> str:
        """Say why, in words with numbers."""
        return _SENTENCES[self.why](self)

    @property
    def numbers(self) -> Mapping[str, float]:
        """Give the inputs that are numbers, by name; what was not measured is left out."""
        found = {name: getattr(self.inputs, name) for name in Inputs.__slots__}
        return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


_UNITS: Mapping[str, tuple[str, float]] = {
    "concurrency": ("requests at once", 1),
    "rps": ("requests a second", 1),
    "cpu": ("cores", 1000),
    "memory": ("MiB", 1 << 20),
}


def _load(decision: Decision) -> str:
    """Say what was measured: `14.2 requests at once over 2 s, 5.6 for each instance: 2.5 instances`."""
    inputs = decision.inputs
    if not inputs.signal:
        return "no signal"
    unit, size = _UNITS[inputs.signal]
    value, target = inputs.value / size, inputs.target / size
    waiting = f" ({inputs.waiting} waiting)" if inputs.waiting else ""
    return f"{value:.3g} {unit}{waiting} over {inputs.over_s} s at {target:.3g} each need {inputs.need:.2f} instances"


def _peak(decision: Decision) -> str:
    return f"at most {decision.inputs.peak or 0:.2f} instances were needed"


def _silence(decision: Decision) -> str:
    silent = decision.inputs.silent_s
    told = "its load was never told" if silent is None else f"its load was last told {silent:.1f} s ago"
    return f"{told}: it keeps {decision.count}"


_SENTENCES: Mapping[Why, Callable[[Decision], str]] = {
    Why.FIXED: lambda each: f"its number is given: {each.count}",
    Why.STALE: _silence,
    Why.UNKNOWN: lambda each: f"its {each.inputs.unknown} was not told: it keeps {each.count}",
    Why.UNCOVERED: lambda each: (
        f"only {100 * (each.inputs.coverage or 0):.0f} % of its window was told: it keeps {each.count}"
    ),
    Why.WOKEN: lambda each: f"a request waits for it: it starts {each.count}",
    Why.MORE: _load,
    Why.FEWER: lambda each: f"{_peak(each)} within the window",
    Why.STEADY: lambda each: f"{_peak(each)} within the window, which {each.count} carry",
    Why.HELD: lambda each: f"{_peak(each)}: a few of {each.count} are removed after five windows",
    Why.HALVING: lambda each: f"{_peak(each)}: at most half are removed every two seconds",
    Why.RETAINED: lambda each: f"idle for {each.inputs.idle_s or 0:.0f} s: the last instance is kept for a while",
    Why.LEAST: lambda each: f"{each.inputs.wanted} would do, at least {each.span.least} are asked for",
    Why.MOST: lambda each: f"{_load(each)}, at most {each.span.most} are allowed",
    Why.SHARE: lambda each: f"{_load(each)}, {each.span.most} are its share while the host is full",
}
