"""Prometheus' answers as lines of panels."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from runyard.dashboards import Dashboard, Panel, Query, Span, read_dashboard, span_until
from runyard.dashboards.reading import parse_answer
from runyard.errors import ContractError

SPAN = Span(30, 60)


def matrix(*series: tuple[dict[str, str], list[list[Any]]]) -> str:
    result = [{"metric": labels, "values": values} for labels, values in series]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def test_span_ends_with_a_moment_that_stays_while_time_passes() -> None:
    assert span_until(1000.0, 1) == span_until(1004.9, 1) == Span(930, 990)
    assert span_until(1005.0, 1) == Span(945, 1005)
    assert list(Span(30, 60).moments) == [30, 45, 60]


@pytest.mark.parametrize(("minutes", "step_s"), [(1, 15), (30, 15), (60, 15), (61, 30), (1440, 360)])
def test_long_span_has_fewer_moments(minutes: int, step_s: int) -> None:
    span = span_until(1_000_007.0, minutes)
    assert span.step_s == step_s
    assert span.moments[-1] == span.end_s
    assert minutes * 60 - step_s < span.end_s - span.start_s <= minutes * 60
    assert len(span.moments) <= 241


def test_every_query_is_asked_for_its_scope_and_span_and_its_lines_are_in_order() -> None:
    asked: list[dict[str, list[str]]] = []

    def ask(target: str) -> str:
        parts = urlsplit(target)
        assert parts.path == "/api/v1/query_range"
        asked.append(parse_qs(parts.query))
        return matrix(({"code": "500"}, [[30, "1"], [60, "2"]]), ({"code": "200"}, [[45, "3.5"]]))

    panels = (
        Panel("one", "One", "count", (Query("a{$scope}", "{code}"),)),
        Panel("two", "Two", "s", (Query("b", "b"),)),
    )
    one, two = read_dashboard(Dashboard("any", "Any", panels, ("tenant",)), {"tenant": "shop"}, SPAN, ask)
    span = {"start": ["30"], "end": ["60"], "step": ["15"]}
    assert asked == [{"query": ['a{tenant="shop"}'], **span}, {"query": ["b"], **span}]
    assert [(each.name, each.values, each.last) for each in one.lines] == [
        ("200", (None, 3.5, None), None),
        ("500", (1.0, None, 2.0), 2.0),
    ]
    assert [each.name for each in two.lines] == ["b", "b"]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_no_value(value: str) -> None:
    assert parse_answer(matrix(({}, [[30, value], [45, "1e-3"]])), SPAN) == [({}, (None, 0.001, None))]


def test_nothing_found_is_no_line() -> None:
    assert parse_answer(matrix(), SPAN) == []


def test_refusal_is_told_in_prometheus_own_words() -> None:
    text = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error"})
    with pytest.raises(ContractError) as raised:
        parse_answer(text, SPAN)
    assert str(raised.value) == "ask Prometheus: bad_data: parse error"


@pytest.mark.parametrize(
    "text",
    [
        "", "<html>", "[]", "null", "{}", '{"status": "success"}', '{"status": "success", "data": {"result": [1]}}',
        '{"status": "success", "data": {"result": [{"metric": {}, "values": [[30, "x"]]}]}}',
    ],
)  # fmt: skip
def test_answer_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ContractError) as raised:
        parse_answer(text, SPAN)
    assert str(raised.value) == f"ask Prometheus: must answer a matrix as JSON, got {text!r}"
