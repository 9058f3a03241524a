"""Window over a revision's load: request-seconds, arrivals and CPU by the second, of what was really told.

The gateway's numbers are monotone counters, so the load between two samples is exact however late the second comes.
A second of which nothing was told is missing, which is not zero: averages are over the seconds that are covered.
"""

from __future__ import annotations

from dataclasses import dataclass

from runyard.contracts.scaling import Aggregation

# Longer between two samples is a gap: what load there was in between cannot be laid to its seconds any more. The loop
# samples five times a second, so ten samples were missed.
GAP_S = 2.0
# Seconds over which a rise counts at once: the one that runs, and the one before it.
REACTION_S = 2
# What the oldest second of a weighted window still weighs, compared with the newest (Knative: 0.001 of the rest).
_OLDEST_WEIGHT = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """What was read of a revision at a moment of a monotonic clock.

    `arrivals` and `request_ms` (the integral of what is in flight and waiting) are counters of the gateway's life
    `epoch`, `in_flight` and `waiting` are as they stand. `cpu_ms` is a counter of all its instances' CPU time and
    `memory_bytes` what they hold together; None was not read.
    """

    at_s: float
    in_flight: int
    waiting: int
    arrivals: int
    request_ms: int
    epoch: str = ""
    cpu_ms: int | None = None
    memory_bytes: int | None = None


@dataclass(slots=True)
class Totals:
    """Sums over some seconds: how long they were covered, and what came in that time; all but arrivals in ms."""

    covered_ms: int = 0
    request_ms: int = 0
    waiting_ms: int = 0
    arrivals: int = 0
    cpu_covered_ms: int = 0
    cpu_ms: int = 0

    def add(self, other: Totals) -> None:
        """Add what another has."""
        self.covered_ms += other.covered_ms
        self.request_ms += other.request_ms
        self.waiting_ms += other.waiting_ms
        self.arrivals += other.arrivals
        self.cpu_covered_ms += other.cpu_covered_ms
        self.cpu_ms += other.cpu_ms

    def remove(self, other: Totals) -> None:
        """Take away what was added; whole numbers, so that nothing is left over however long it goes on."""
        self.covered_ms -= other.covered_ms
        self.request_ms -= other.request_ms
        self.waiting_ms -= other.waiting_ms
        self.arrivals -= other.arrivals
        self.cpu_covered_ms -= other.cpu_covered_ms
        self.cpu_ms -= other.cpu_ms

    @property
    def concurrency(self) -> float:
        """Requests in flight and waiting, on average of the covered time."""
        return self.request_ms / self.covered_ms if self.covered_ms else 0.0

    @property
    def waiting(self) -> float:
        """Requests waiting, on average of the covered time."""
        return self.waiting_ms / self.covered_ms if self.covered_ms else 0.0

    @property
    def rps(self) -> float:
        """Arrivals a second of the covered time."""
        return 1000 * self.arrivals / self.covered_ms if self.covered_ms else 0.0

    @property
    def cpu_millis(self) -> float:
        """Thousandths of a core, of all instances together."""
        return 1000 * self.cpu_ms / self.cpu_covered_ms if self.cpu_covered_ms else 0.0


class Window:
    """Ring of the last seconds, with sums over the stable and the panic window; adding a sample costs no walk."""

    def __init__(self, window_s: int, panic_s: int, aggregation: Aggregation = "linear") -> None:
        self.window_s, self.panic_s = window_s, panic_s
        self.last: Sample | None = None
        self.stable, self.panic = Totals(), Totals()
        self._weighted = aggregation == "weighted-exponential"
        self._size = max(window_s, panic_s, REACTION_S) + 1
        self._ring = [Totals() for _ in range(self._size)]
        self._second: int | None = None

    def add(self, sample: Sample) -> None:
        """Take a sample; what it tells beyond the one before is laid to the second in which it was read.

        A sample that is older than the one before tells nothing. After a gap, or in another life of the gateway, it
        only begins anew.
        """
        before = self.last
        if before is not None and sample.at_s <= before.at_s:
            return
        self.last = sample
        self.roll(sample.at_s)
        if before is None or sample.at_s - before.at_s > GAP_S or not _continues(before, sample):
            return
        passed_ms = round(sample.at_s * 1000) - round(before.at_s * 1000)
        request_ms = sample.request_ms - before.request_ms
        waiting_ms = (before.waiting + sample.waiting) * passed_ms // 2
        arrivals = sample.arrivals - before.arrivals
        # An instance that is gone takes its CPU time with it: the counter falls, and that moment is not told.
        cpu_told = sample.cpu_ms is not None and before.cpu_ms is not None and sample.cpu_ms >= before.cpu_ms
        assert self._second is not None  # noqa: S101 - rolled above
        # Written out, for this is done five times a second for every revision.
        for totals in (self._ring[self._second % self._size], self.stable, self.panic):
            totals.covered_ms += passed_ms
            totals.request_ms += request_ms
            totals.waiting_ms += waiting_ms
            totals.arrivals += arrivals
            if cpu_told:
                totals.cpu_covered_ms += passed_ms
                totals.cpu_ms += (sample.cpu_ms or 0) - (before.cpu_ms or 0)

    def roll(self, now_s: float) -> None:
        """Let the seconds pass up to now; those in between are not covered."""
        second = int(now_s)
        if second == self._second:
            return
        if self._second is None or second - self._second >= self._size:
            # Nothing of what is kept is so young.
            self._ring = [Totals() for _ in range(self._size)]
            self.stable, self.panic = Totals(), Totals()
            self._second = second
        while self._second < second:
            self._second += 1
            self.stable.remove(self._ring[(self._second - self.window_s) % self._size])
            self.panic.remove(self._ring[(self._second - self.panic_s) % self._size])
            self._ring[self._second % self._size] = Totals()

    def recent(self) -> Totals:
        """Give the sums of the second that runs and the one before it."""
        if self._second is None:
            return Totals()
        now, before = self._ring[self._second % self._size], self._ring[(self._second - REACTION_S + 1) % self._size]
        return Totals(
            now.covered_ms + before.covered_ms,
            now.request_ms + before.request_ms,
            now.waiting_ms + before.waiting_ms,
            now.arrivals + before.arrivals,
            now.cpu_covered_ms + before.cpu_covered_ms,
            now.cpu_ms + before.cpu_ms,
        )

    def short(self) -> Totals:
        """Give the sums over the panic window, where asked for with newer seconds weighing more."""
        if not self._weighted or self._second is None or self.panic_s == 1:
            return self.panic
        found, fade = Totals(), _OLDEST_WEIGHT ** (1 / (self.panic_s - 1))
        for back in range(self.panic_s):
            each = self._ring[(self._second - back) % self._size]
            # A thousandfold, so that whole numbers keep what a weight leaves of them; averages are the same.
            weight = round(1000 * fade**back)
            found.add(
                Totals(
                    each.covered_ms * weight,
                    each.request_ms * weight,
                    each.waiting_ms * weight,
                    each.arrivals * weight,
                    each.cpu_covered_ms * weight,
                    each.cpu_ms * weight,
                )
            )
        return found

    @property
    def coverage(self) -> float:
        """The part of the stable window of which something was told, 0 to 1."""
        return min(1.0, self.stable.covered_ms / (1000 * self.window_s))

    @property
    def service_s(self) -> float | None:
        """How long a request is served, by Little's law for those that do not wait; None when there are none."""
        stable = self.stable
        begun = stable.arrivals - (self.last.waiting if self.last else 0)
        if begun <= 0:
            return None
        return max(0, stable.request_ms - stable.waiting_ms) / begun / 1000


def _continues(before: Sample, sample: Sample) -> bool:
    return (
        before.epoch == sample.epoch and sample.arrivals >= before.arrivals and sample.request_ms >= before.request_ms
    )
