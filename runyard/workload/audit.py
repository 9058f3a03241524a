"""Audit of a run: our own count of a service's requests against what its gateway logged and counted; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runyard.contracts import RecordedLoad, RequestLine
from runyard.units import render_count
from runyard.workload.outcome import Audit
from runyard.workload.recording import Row

# What a limit refuses never came to the gateway's counter, and what a full line refuses did: the log tells both as 429.
_LIMITED = 429
# So many are named of what does not agree.
_NAMED = 3


def audit(service: str, rows: Iterable[Row], lines: Sequence[RequestLine], counted: int) -> Audit:
    """Compare requests with log lines by id, and the lines with the counter.

    Each answer that named its request must be in the log once and with its status. The counter must have moved by the
    lines, less at most those that were answered 429. A line of ours has one of our ids; all others are other clients'.
    """
    ours = {row.request_id: row for row in rows if row.request_id and row.status}
    logged: dict[str, list[RequestLine]] = {}
    for line in lines:
        logged.setdefault(line.request_id, []).append(line)
    mine = [line for name in ours for line in logged.get(name, ())]
    limited = sum(line.status == _LIMITED for line in lines)
    right = sum(_agrees(row, logged.get(name, ())) for name, row in ours.items())
    problems = [*_missing(ours, logged), *_differing(ours, logged)]
    if not len(lines) - limited <= counted <= len(lines):
        expected = f"{len(lines):,}" if not limited else f"{len(lines) - limited:,} to {len(lines):,}"
        problems.append(f"the gateway counted {counted:,} requests, and its log has {expected}")
    return Audit(
        service=service,
        answered=len(ours),
        logged=right,
        others=len(lines) - len(mine),
        counted=counted,
        expected=len(lines) - limited,
        cold=sum(line.held_s > 0 for line in mine),
        held_s=max((line.held_s for line in mine), default=0.0),
        retries=sum(line.retries for line in mine),
        problems=tuple(problems),
    )


def count_recorded(load: RecordedLoad | None, since_minute: int) -> int:
    """Count what the orchestrator recorded of the gateway's counter since a minute, by its number since 1970."""
    return sum(came for minute, came, *_ in load.minutes if minute >= since_minute) if load else 0


def _agrees(row: Row, lines: Sequence[RequestLine]) -> bool:
    return len(lines) == 1 and lines[0].status == row.status


def _missing(ours: Mapping[str, Row], logged: Mapping[str, Sequence[RequestLine]]) -> list[str]:
    missing = [name for name in ours if name not in logged]
    if not missing:
        return []
    return [f"{render_count(len(missing), 'answered request')} not in the gateway's log, such as {_some(missing)}"]


def _differing(ours: Mapping[str, Row], logged: Mapping[str, Sequence[RequestLine]]) -> list[str]:
    differing = [name for name, row in ours.items() if name in logged and not _agrees(row, logged[name])]
    if not differing:
        return []
    counted = render_count(len(differing), "request")
    return [f"{counted} logged twice or with another status than answered, such as {_some(differing)}"]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED])
