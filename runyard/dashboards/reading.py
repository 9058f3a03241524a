"""Reading of dashboards: Prometheus asked for the last while of each panel, and its answers as lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from runyard.dashboards.panel import Dashboard, Panel, Query
from runyard.errors import ContractError

# How often Prometheus scrapes. Four samples in the shortest window of our rules; the meter's readings are five seconds
# apart. Points that are closer would tell nothing more.
INTERVAL_S = 15
# Gives the body of Prometheus' answer to a target, such as `/api/v1/query?query=up`.
Ask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is looked at: moments `step_s` apart, in whole seconds since 1970, the first and the last too."""

    start_s: int
    end_s: int
    step_s: int = INTERVAL_S

    @property
    def moments(self) -> range:
        """Every moment of it."""
        return range(self.start_s, self.end_s + 1, self.step_s)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a panel: how it is called, and its value at each moment, None where there is none."""

    name: str
    labels: Mapping[str, str]
    values: tuple[float | None, ...]

    @property
    def last(self) -> float | None:
        """The value at the last moment."""
        return self.values[-1] if self.values else None


@dataclass(frozen=True, slots=True)
class PanelReading:
    """A panel and its lines, those of a query by their names; without any there was nothing to tell."""

    panel: Panel
    lines: tuple[Line, ...]


def span_until(now_s: float, minutes: int) -> Span:
    """Give the last minutes in 241 moments at most, which stay the same while they pass: lines do not shiver."""
    step_s = INTERVAL_S * math.ceil(minutes / 60)
    end_s = math.floor(now_s / step_s) * step_s
    return Span(end_s - minutes * 60 // step_s * step_s, end_s, step_s)


def read_dashboard(dashboard: Dashboard, labels: Mapping[str, str], span: Span, ask: Ask) -> list[PanelReading]:
    """Ask for every panel of what has these labels, which are those of the dashboard's scope.

    ContractError where an answer is not Prometheus'.
    """
    return [
        PanelReading(panel, tuple(line for query in panel.queries for line in _read(query, labels, span, ask)))
        for panel in dashboard.panels
    ]


def _read(query: Query, labels: Mapping[str, str], span: Span, ask: Ask) -> list[Line]:
    asked = {"query": query.ask(labels), "start": span.start_s, "end": span.end_s, "step": span.step_s}
    found = [
        Line(query.name(each), each, values)
        for each, values in parse_answer(ask(f"/api/v1/query_range?{urlencode(asked)}"), span)
    ]
    return sorted(found, key=lambda line: line.name)


def parse_answer(text: str, span: Span) -> list[tuple[Mapping[str, str], tuple[float | None, ...]]]:
    """Give the labels of each series and its values at the moments of a span; ContractError says what does not fit.

    The shape is that of Prometheus' HTTP API, "Range queries"; what is no number (0 / 0) is no value.
    """
    try:
        answer = json.loads(text)
        if answer["status"] != "success":
            raise ContractError(f"ask Prometheus: {answer['errorType']}: {answer['error']}")
        return [(each["metric"], _at_moments(each["values"], span)) for each in answer["data"]["result"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"ask Prometheus: must answer a matrix as JSON, got {text[:200]!r}") from error


def _at_moments(samples: list[list[Any]], span: Span) -> tuple[float | None, ...]:
    by_moment = {int(moment): float(value) for moment, value in samples}
    values = (by_moment.get(moment) for moment in span.moments)
    return tuple(each if each is not None and math.isfinite(each) else None for each in values)
