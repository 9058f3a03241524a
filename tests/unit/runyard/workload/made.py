"""Scenarios, recordings and outcomes as tests of the workload tool need them, made by hand and always the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from runyard.workload.analysis import analyse, merged
from runyard.workload.model import Generator, Phase, Scenario, Target, Thresholds
from runyard.workload.outcome import Outcome
from runyard.workload.recording import Recording, Usage

BEGAN_UNIX_S = 1_800_000_000.0
# On a machine that other tests keep busy, lateness is not what is tried.
PATIENT = Generator(late_ms=60_000.0, late_percent=100.0)


def scenario(url: str = "http://127.0.0.1:1/", rate: float = 50.0, seconds: float = 1.0, **parts: Any) -> Scenario:
    """Make a scenario of one target and an even rate."""
    made = Scenario(
        name="made",
        targets=(Target("root", url=url),),
        phases=(Phase("constant", float(seconds), float(rate)),),
        generator=PATIENT,
        timeout_s=20.0,
    )
    return replace(made, **parts)


def thresholds(**limits: float) -> Thresholds:
    return Thresholds(tuple((name, float(limit)) for name, limit in limits.items()))


def recording(rows: Iterable[dict[str, Any]], usage: Usage | None = None) -> Recording:
    """Make a recording: each row says what differs from a request of 10 ms that was begun and sent at its time."""
    made = Recording(usage=usage or Usage(0.1, 0.0, 1.0))
    for row in rows:
        due = row.get("due", 0.0)
        number = made.add(due, row.get("target", 0))
        begun = due + row.get("late_ms", 0.0) / 1000
        made.times["begun"][number] = begun
        if row.get("sent", True):
            made.times["sent"][number] = begun
            made.numbers["sends"][number] = row.get("sends", 1)
        made.times["ended"][number] = begun + row.get("ms", 10.0) / 1000
        made.numbers["status"][number] = row.get("status", 200)
        made.numbers["cause"][number] = made.cause(row.get("cause", ""))
        made.numbers["received"][number] = row.get("received", 5)
        made.name(number, row.get("request_id", ""))
    return made


def outcome_of(made: Scenario, *recordings: Recording) -> Outcome:
    """Make the outcome of what workers recorded."""
    return analyse(made, merged(recordings), [each.usage for each in recordings], BEGAN_UNIX_S)


def outcome(
    ms: float = 10.0, spread_ms: float = 2.0, seconds: int = 20, rate: int = 20, failing: int = 0, **parts: Any
) -> Outcome:
    """Make the outcome of an even load whose latencies go up and down by a spread; every so-manieth request fails."""
    count = seconds * rate
    rows = (
        {
            "due": (number + 0.5) / rate,
            # A cycle of eleven fits no second, so that seconds differ a little, as they do in life.
            "ms": ms + spread_ms * (number * 7 % 11) / 11,
            "request_id": f"{number:032x}",
            **({"status": 503, "cause": "status 503"} if failing and number % failing == 0 else {}),
        }
        for number in range(count)
    )
    made = scenario(rate=rate, seconds=seconds)
    return replace(outcome_of(made, recording(rows)), **parts)
