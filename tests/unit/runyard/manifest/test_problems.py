"""Problems: paths, values, order, and what is never shown."""

from __future__ import annotations

import pytest

from runyard.manifest.model import Location
from runyard.manifest.problems import Findings, Path, Problem, is_secret, ordered, render_path, render_value

ENV: Path = ("spec", "containers", 0, "env", 2)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "containers", 0, "env", 2, "value"), "spec.containers[0].env[2].value"),
        (("metadata", "annotations", "run.googleapis.com/x"), 'metadata.annotations["run.googleapis.com/x"]'),
        (("a b",), '["a b"]'),
        (("\x1b[31m",), '["\\u001b[31m"]'),
        ((0, "a"), "[0].a"),
    ],
)
def test_path_is_rendered_as_one_would_write_it(path: Path, text: str) -> None:
    assert render_path(path) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("a\n\x1b", '"a\\n\\u001b"'),
        ("x" * 100, '"' + "x" * 60 + '\\u2026"'),
        (1, "1"),
        (True, "true"),
        (None, "nothing"),
        ([], "a list"),
        ({"a": "secret"}, "a mapping"),
    ],
)
def test_value_is_rendered_in_one_safe_line(value: object, text: str) -> None:
    assert render_value(value) == text


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (ENV, True),
        ((*ENV, "value"), True),
        ((*ENV, "valueFrom"), True),
        ((*ENV, "valueFrom", "secretKeyRef"), True),
        (ENV[:4], True),
        ((*ENV, "name"), False),
        ((*ENV, "valueFrom", "secretKeyRef", "key"), False),
        (("spec", "image"), False),
    ],
)
def test_environment_is_hidden_except_for_names(path: Path, hidden: bool) -> None:
    assert is_secret(path) is hidden
    assert (render_value("hunter2", path) == "[hidden]") is hidden


def test_problems_are_ordered_by_place_and_told_once() -> None:
    def problem(file: str, line: int, column: int, path: str = "") -> Problem:
        return Problem(Location(file, line, column), path, "m", "r")

    first, second, third, fourth = problem("a", 2, 9), problem("a", 10, 1), problem("a", 10, 2, "b"), problem("b", 1, 1)
    assert ordered([fourth, third, second, first, second]) == (first, second, third, fourth)


def test_findings_place_warnings_at_keys_and_errors_at_values() -> None:
    findings = Findings(lambda path, at_key: Location("f", 1 if at_key else 2, len(path)))
    findings.warning(("a",), "r", "w")
    findings.error(("a", "b"), "r", "e", "h")
    findings.error(("a",), "r", "k", at_key=True)
    assert [problem.text() for problem in findings.problems] == [
        "f:1:1: warning: a: w",
        "f:2:2: a.b: e (h)",
        "f:1:1: a: k",
    ]
