"""Stopwatch for benchmarks: contenders take turns (A-B-A-B), and the table shows median, spread and ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.bench.table import render

# Enough for a median that one bad round cannot move on a shared machine.
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """What one contender took for one job in each round, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        if len(self.seconds) == 1:
            return seconds_text(low)
        return f"{seconds_text(self.median)} ({seconds_text(low)} to {seconds_text(high)})"


@dataclass
class Stopwatch:
    """Timings by job (a row of the table) and contender (a column), in the order they were first taken."""

    clock: Callable[[], float] = time.perf_counter
    taken: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def time(self, job: str, contender: str, action: Callable[[], object]) -> float:
        """Run the action, record what it took and return that; an action that fails is not recorded."""
        began = self.clock()
        action()
        elapsed = self.clock() - began
        self.taken.setdefault(job, {}).setdefault(contender, []).append(elapsed)
        return elapsed

    def take_turns(self, job: str, contenders: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> None:
        """Run all contenders once a round, so that a slow minute of the machine meets each of them."""
        for _ in range(rounds):
            for contender, action in contenders.items():
                self.time(job, contender, action)

    def timing(self, job: str, contender: str) -> Timing:
        """Return what was recorded; KeyError when nothing was."""
        return Timing(tuple(self.taken[job][contender]))

    def table(self, baseline: str) -> str:
        """Render a row for each job, a column for each contender and its ratio to the baseline's median."""
        columns = list(dict.fromkeys(name for row in self.taken.values() for name in row))
        others = [name for name in columns if name != baseline]
        lines = [["", baseline, *(part for name in others for part in (name, f"of {baseline}"))]]
        for job, row in self.taken.items():
            base = self.timing(job, baseline) if baseline in row else None
            line = [job, str(base or "-")]
            for name in others:
                timing = self.timing(job, name) if name in row else None
                line.append(str(timing or "-"))
                line.append(f"{timing.median / base.median:.2f}" if timing and base and base.median else "-")
            lines.append(line)
        return render(lines)


def seconds_text(seconds: float) -> str:
    """Render seconds in the unit that leaves three digits to read."""
    if seconds >= 1:
        return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"
