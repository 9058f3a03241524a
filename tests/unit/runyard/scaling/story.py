"""Story of a revision for tests of the decision: load by the moment, told to it five times a second."""

from __future__ import annotations

from collections.abc import Callable

from runyard.contracts import ScalingSignal
from runyard.scaling.counts import Span
from runyard.scaling.decision import Decision
from runyard.scaling.scaler import Memory, Situation, decide
from runyard.scaling.settings import ScalingSettings
from runyard.scaling.window import Sample

TICK_S = 0.2
# Ten requests at once, of which an instance is to have seven.
SETTINGS = ScalingSettings((ScalingSignal("concurrency", 7.0),), capacity=10)
Load = Callable[[float], float]


class Story:
    """A revision whose instances are ready as soon as they are wanted, with a load of requests of a second."""

    def __init__(self, settings: ScalingSettings = SETTINGS, count: int = 1, span: Span | None = None) -> None:
        self.settings, self.count, self.span = settings, count, span or Span(0, 100)
        self.now_s = 0.0
        self.memory = Memory(settings, self.now_s)
        self.request_ms = self.arrivals = self.cpu_ms = 0
        self.memory_bytes: int | None = None
        self.cpu = True
        self.decision = self.changed = Decision(count, count, decide(settings, self.memory, self.situation(), 0.0).why)

    def situation(self, *, woken: bool = False) -> Situation:
        return Situation(self.count, self.count, self.span, woken)

    def tell(self, at_once: float, waiting: int = 0, cpu_millis: float = 0.0) -> None:
        """Tell the memory of the time up to now."""
        self.request_ms += round((at_once + waiting) * TICK_S * 1000)
        self.arrivals = self.request_ms // 1000
        self.cpu_ms += round(cpu_millis * TICK_S)
        self.memory.observe(
            Sample(
                *(self.now_s, int(at_once), waiting, self.arrivals, self.request_ms),
                cpu_ms=self.cpu_ms if self.cpu else None,
                memory_bytes=self.memory_bytes,
            )
        )

    def decide(self, *, woken: bool = False) -> Decision:
        self.decision = decide(self.settings, self.memory, self.situation(woken=woken), self.now_s)
        self.count = self.decision.count
        return self.decision

    def run(
        self, load: Load, seconds: float, *, told: bool = True, cpu: Load = lambda _: 0.0
    ) -> list[tuple[float, int]]:
        """Go on for some seconds, and give each moment at which the count changed, with the new count."""
        changes = []
        for _ in range(round(seconds / TICK_S)):
            self.now_s = round(self.now_s + TICK_S, 3)
            if told:
                self.tell(load(self.now_s), cpu_millis=cpu(self.now_s))
            before = self.count
            if self.decide().count != before:
                self.changed = self.decision
                changes.append((self.now_s, self.count))
        return changes


def turns(changes: list[tuple[float, int]], start: int) -> list[float]:
    """Give the moments at which the count went the other way than the time before."""
    found, way, count = [], 0, start
    for at_s, after in changes:
        now = 1 if after > count else -1
        if way and now != way:
            found.append(at_s)
        way, count = now, after
    return found
