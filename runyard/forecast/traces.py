"""Traces of files: requests by the second, or invocations with their end and duration, as CSV with a heading."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping

from runyard.errors import UsageError
from runyard.scaling.simulation import Batch

# Eight days of a request a second in single lines; more is given by the second.
LINES_LIMIT = 700_000
# A year: what is later is no trace of a service, and would never end.
_LATEST_S = 366 * 86_400
_REQUESTS_LIMIT = 10_000_000


def parse_trace(file: str, text: str, request_s: float) -> tuple[Batch, ...]:
    """Parse a trace into batches in order of time; UsageError says where, which rule and what was seen.

    The columns are `at_s,requests` and, where it is known, `request_ms`, else each request takes `request_s`; or
    `end_timestamp,duration`, both in seconds, one invocation a line. Others are left alone.
    """
    rows = csv.DictReader(io.StringIO(text))
    columns = set(rows.fieldnames or ())
    if {"at_s", "requests"} <= columns:
        batches = [_counted(file, line, row, request_s) for line, row in _lines(file, rows)]
    elif {"end_timestamp", "duration"} <= columns:
        batches = [_invocation(file, line, row) for line, row in _lines(file, rows)]
    else:
        seen = ", ".join(sorted(columns)) or "nothing"
        raise UsageError(f"{file}:1: must have the columns at_s,requests or end_timestamp,duration, got {seen}")
    if not batches:
        raise UsageError(f"{file}:2: must have a line for each moment with requests, got none")
    return tuple(sorted(batches))


def _lines(file: str, rows: csv.DictReader[str]) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    try:
        for number, row in enumerate(rows):
            if number >= LINES_LIMIT:
                raise UsageError(f"{file}:{rows.line_num}: must have at most {LINES_LIMIT} lines, got more")
            yield rows.line_num, row
    except csv.Error as error:
        # The line that could not be read is not counted yet.
        raise UsageError(f"{file}:{rows.line_num + 1}: must be CSV: {error}") from None


def _counted(file: str, line: int, row: Mapping[str, str | None], request_s: float) -> Batch:
    requests = _number(file, line, row, "requests", _REQUESTS_LIMIT)
    if requests != int(requests):
        raise UsageError(f"{file}:{line}: requests: must be a whole number, got {row['requests']!r}")
    if row.get("request_ms"):
        request_s = _number(file, line, row, "request_ms", 1000.0 * _LATEST_S) / 1000
    return Batch(_number(file, line, row, "at_s", _LATEST_S), int(requests), request_s)


def _invocation(file: str, line: int, row: Mapping[str, str | None]) -> Batch:
    duration = _number(file, line, row, "duration", _LATEST_S)
    # What began before the trace is there at its beginning.
    return Batch(max(0.0, _number(file, line, row, "end_timestamp", _LATEST_S) - duration), 1, duration)


def _number(file: str, line: int, row: Mapping[str, str | None], column: str, most: float) -> float:
    text = row.get(column)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise UsageError(f"{file}:{line}: {column}: must be a number from 0 to {most:g}, got {text!r}")
    return value
