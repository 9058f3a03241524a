"""Analysis of a run: from the rows of all workers to its outcome; pure.

Latencies count from the intended start, so a request that the generator or the target made wait is as slow as a user
would have found it (Tene 2013, coordinated omission), and from the send, which is the target's part alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from hdrh.histogram import HdrHistogram

from runyard.workload import buckets
from runyard.workload.model import Scenario
from runyard.workload.outcome import (
    Audit,
    Capacity,
    Cause,
    GeneratorOutcome,
    Judgement,
    Latency,
    Outcome,
    Slow,
    Stretch,
    TargetOutcome,
    Totals,
)
from runyard.workload.recording import UNSENT, Recording, Row, Usage

# From a microsecond to two hours, to three digits.
_LEAST_US, _MOST_US, _DIGITS = 1, 7_200_000_000, 3
# As many columns as a page has room for; none is shorter than a second, for less has too few requests.
_MOST_STRETCHES = 120
_SLOWEST = 20
# Of the histogram's own lines of percentiles, so many for each halving of the distance to 100 %.
_TICKS = 5

# Of a threshold: how its rule reads, what is seen of the outcome, and whether it is the most or the least.
_RULES: dict[str, tuple[str, Callable[[Totals, Latency, float], float], bool]] = {
    "p50Milliseconds": ("median at most {:g} ms", lambda _, latency, __: latency.p50_ms, True),
    "p95Milliseconds": ("95th percentile at most {:g} ms", lambda _, latency, __: latency.p95_ms, True),
    "p99Milliseconds": ("99th percentile at most {:g} ms", lambda _, latency, __: latency.p99_ms, True),
    "maxMilliseconds": ("slowest at most {:g} ms", lambda _, latency, __: latency.max_ms, True),
    "failedPercent": ("at most {:g} % failed", lambda totals, _, __: totals.failed_percent, True),
    "minServedPerSecond": ("at least {:g} served a second", lambda totals, _, s: totals.served / s, False),
}
THRESHOLDS = frozenset(_RULES)


def analyse(
    scenario: Scenario,
    rows: Sequence[Row],
    usages: Sequence[Usage],
    began_unix_s: float,
    audits: Sequence[Audit] = (),
    capacities: Sequence[Capacity] = (),
) -> Outcome:
    """Make the outcome of a run from the rows of all workers and what each of them used.

    `audits` and `capacities` are what its services' gateway and orchestrator told.
    """
    counted = [row for row in rows if row.due >= scenario.warm_up_s]
    totals = _totals(counted)
    intended = _latency(_latencies(counted, from_send=False))
    measured_s = max(scenario.seconds - scenario.warm_up_s, 1e-9)
    return Outcome(
        name=scenario.name,
        began_unix_s=began_unix_s,
        seconds=scenario.seconds,
        warm_up_s=scenario.warm_up_s,
        totals=totals,
        intended=intended,
        from_send=_latency(_latencies(counted, from_send=True)),
        generator=judge_generator(scenario, counted, usages),
        targets=_targets(scenario, counted),
        causes=_causes(scenario, counted),
        judgements=tuple(
            _judge(name, limit, totals, intended, measured_s) for name, limit in scenario.thresholds.limits
        ),
        stretches=_stretches(scenario, rows),
        slowest=_slowest(scenario, counted),
        audits=tuple(audits),
        capacities=tuple(capacities),
    )


def merged(recordings: Iterable[Recording]) -> list[Row]:
    """Give the rows of all workers in the order in which they were due."""
    return sorted((row for each in recordings for row in each.rows()), key=lambda row: row.due)


def judge_generator(scenario: Scenario, rows: Sequence[Row], usages: Sequence[Usage]) -> GeneratorOutcome:
    """Say what the generator did itself, and whether that leaves the run worth anything."""
    wanted = scenario.generator
    late_ms = sorted((row.begun - row.due) * 1000 for row in rows if not math.isnan(row.begun))
    late = sum(each > wanted.late_ms for each in late_ms)
    unsent = sum(row.cause == UNSENT for row in rows)
    elapsed = sum(each.elapsed_s for each in usages) or 1.0
    cpu = 100 * sum(each.cpu_s for each in usages) / elapsed
    waited = 100 * sum(each.waited_s for each in usages) / elapsed
    problems = []
    if rows and 100 * late / len(rows) > wanted.late_percent:
        problems.append(
            f"{late:,} of {len(rows):,} requests began more than {wanted.late_ms:g} ms late, at most"
            f" {wanted.late_percent:g} % may; its workers used {cpu:.0f} % of a core each and waited for one"
            f" {waited:.0f} % of the time"
        )
    if unsent:
        problems.append(
            f"{unsent:,} requests were not sent, because {wanted.most_in_flight:,} in a worker had no answer yet"
        )
    return GeneratorOutcome(
        workers=len(usages),
        late=late,
        unsent=unsent,
        worst_late_ms=late_ms[-1] if late_ms else 0.0,
        p99_late_ms=late_ms[math.ceil(0.99 * len(late_ms)) - 1] if late_ms else 0.0,
        cpu_percent=cpu,
        waited_percent=waited,
        problems=tuple(problems),
    )


def _totals(rows: Sequence[Row]) -> Totals:
    return Totals(
        attempted=len(rows),
        sent=sum(row.sends > 0 for row in rows),
        answered=sum(row.status > 0 for row in rows),
        served=sum(not row.cause for row in rows),
        sent_again=sum(row.sends > 1 for row in rows),
        received_bytes=sum(row.received for row in rows),
    )


def _latencies(rows: Iterable[Row], *, from_send: bool) -> list[float]:
    """Give latencies in milliseconds of what went out: an answer that never came counts by the time waited for it.

    What could not be sent, such as a refused connection, has none: it would make the rest look quick.
    """
    return [(row.ended - (row.sent if from_send else row.due)) * 1000 for row in rows if _is_timed(row)]


def _is_timed(row: Row) -> bool:
    return row.sends > 0 and not math.isnan(row.ended)


def _latency(latencies_ms: Sequence[float]) -> Latency:
    histogram = HdrHistogram(_LEAST_US, _MOST_US, _DIGITS)
    for each in latencies_ms:
        histogram.record_value(min(max(round(each * 1000), _LEAST_US), _MOST_US))
    count = len(latencies_ms)
    at = {
        part: histogram.get_value_at_percentile(part) / 1000 if count else 0.0 for part in (50, 90, 95, 99, 99.9, 100)
    }
    curve = tuple(
        (float(item.percentile_level_iterated_to), item.value_iterated_to / 1000)
        for item in (histogram.get_percentile_iterator(_TICKS) if count else ())
    )
    # The histogram rounds the highest up to its bucket.
    highest = max(latencies_ms, default=0.0)
    mean = math.fsum(latencies_ms) / count if count else 0.0
    return Latency(count, mean, at[50], at[90], at[95], at[99], at[99.9], highest, curve)


def _targets(scenario: Scenario, rows: Sequence[Row]) -> tuple[TargetOutcome, ...]:
    found = []
    for number, target in enumerate(scenario.targets):
        mine = [row for row in rows if row.target == number]
        latency = _latency(_latencies(mine, from_send=False))
        served = sum(not row.cause for row in mine)
        found.append(TargetOutcome(target.name, len(mine), served, latency.p50_ms, latency.p99_ms))
    return tuple(found)


def _causes(scenario: Scenario, rows: Sequence[Row]) -> tuple[Cause, ...]:
    counted = Counter((scenario.targets[row.target].name, row.cause) for row in rows if row.cause)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Cause(target, cause, number) for (target, cause), number in ordered)


def _judge(name: str, limit: float, totals: Totals, latency: Latency, measured_s: float) -> Judgement:
    rule, seen_of, is_most = _RULES[name]
    seen = seen_of(totals, latency, measured_s)
    # Nothing that went out is no proof that all is quick.
    known = latency.count > 0 or not name.endswith("Milliseconds")
    return Judgement(name, rule.format(limit), seen, known and (seen <= limit if is_most else seen >= limit))


def _stretches(scenario: Scenario, rows: Sequence[Row]) -> tuple[Stretch, ...]:
    length = max(1.0, math.ceil(scenario.seconds / _MOST_STRETCHES))
    number = max(1, math.ceil(scenario.seconds / length))
    parts: list[list[Row]] = [[] for _ in range(number)]
    for row in rows:
        parts[min(int(row.due / length), number - 1)].append(row)
    return tuple(_stretch(scenario, index * length, length, part) for index, part in enumerate(parts))


def _stretch(scenario: Scenario, at_s: float, length: float, rows: Sequence[Row]) -> Stretch:
    totals = _totals(rows)
    return Stretch(
        at_s=at_s,
        length_s=min(length, scenario.seconds - at_s),
        attempted=totals.attempted,
        sent=totals.sent,
        served=totals.served,
        warm_up=at_s < scenario.warm_up_s,
        counts=buckets.count(_latencies(rows, from_send=False)),
    )


def _slowest(scenario: Scenario, rows: Iterable[Row]) -> tuple[Slow, ...]:
    timed = sorted((row for row in rows if _is_timed(row)), key=lambda row: row.due - row.ended)
    return tuple(
        Slow(
            at_s=row.due,
            ms=(row.ended - row.due) * 1000,
            ms_from_send=(row.ended - row.sent) * 1000,
            target=scenario.targets[row.target].name,
            status=row.status,
            cause=row.cause,
            request_id=row.request_id,
        )
        for row in timed[:_SLOWEST]
    )
