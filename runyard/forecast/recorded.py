"""Recorded load as a trace: requests that were counted by the minute, laid to moments of it, the same each time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from runyard.contracts import RecordedLoad, RecordedMinute
from runyard.forecast.picture import render_length
from runyard.forecast.simulation import Load
from runyard.scaling.simulation import Batch

WEEK_S = 7 * 86_400
# So many of a minute are laid one by one, as they come in life: that decides whether a service falls asleep between two
# of them. More come evenly, but for the busiest second: there the decision goes by averages over seconds, and a
# simulated week has steps of no less than these.
SINGLE, STEP_S = 60, 2
_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """The batches of recorded minutes, each time they are asked for; `first` is the minute at which they begin."""

    minutes: tuple[RecordedMinute, ...]
    first: int

    def __iter__(self) -> Iterator[Batch]:
        for number, arrivals, served_ms, busiest in self.minutes:
            if number >= self.first:
                yield from _laid(number, 60.0 * (number - self.first), (arrivals, served_ms, busiest))


def recorded_load(record: RecordedLoad | None, start_s: float = 0.3) -> Load | None:
    """Give what is recorded of the last week as a load, None if there was no request in it.

    `start_s` is the time of a start.
    """
    if record is None:
        return None
    since = max(record.since_unix_s, record.until_unix_s - WEEK_S)
    first = since // 60
    minutes = tuple(each for each in record.minutes if each[0] >= first)
    if not minutes:
        return None
    length_s = max(60.0, record.until_unix_s - 60.0 * first, 60.0 * (minutes[-1][0] + 1 - first))
    whole = record.until_unix_s - record.since_unix_s >= WEEK_S
    name = "last week's load" if whole else f"the load of the last {render_length(length_s)}"
    peak = float(max(max(1, busiest) for _, _, _, busiest in minutes))
    return Load(name, Recorded(minutes, first), peak, start_s=start_s, lasts_s=length_s, begins_unix_s=60 * first)


def _laid(number: int, at_s: float, minute: tuple[int, int, int]) -> Iterator[Batch]:
    arrivals, served_ms, busiest = minute
    # What is served for longer than a minute, as WebSockets are, is told by every minute that it lasts: it is laid as
    # requests of a minute each, so that as many are there at once as were.
    count = max(arrivals, math.ceil(served_ms / 60_000))
    # Of no time at all it would need no instance.
    request_s = max(0.001, served_ms / 1000 / count)
    burst = max(1, min(busiest, arrivals)) if arrivals else count
    burst += count - arrivals if arrivals else 0
    rest = count - burst
    # A burst that has requests of whole minutes goes on from that of the minute before.
    moment = 0.0 if count > arrivals else 60 * _part(number, 0)
    if rest <= SINGLE:
        moments = sorted([(moment, burst), *((60 * _part(number, 1 + each), 1) for each in range(rest))])
        for within_s, requests in moments:
            yield Batch(at_s + within_s, requests, request_s)
        return
    steps, before = 60 // STEP_S, 0
    for step in range(steps):
        come = (step + 1) * rest // steps
        requests = come - before + (burst if step == int(moment) // STEP_S else 0)
        before = come
        yield Batch(at_s + step * STEP_S, requests, request_s)


def _part(number: int, index: int) -> float:
    """Give a part of one, evenly spread over minutes and indices as chance is: splitmix64 (Steele et al. 2014)."""
    mixed = ((number << 8 | index) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
    return (mixed ^ mixed >> 31) / 2**64
