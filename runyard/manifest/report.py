"""Reports of problems: plain data for programs, a table, and SARIF 2.1.0 for code scanners and editors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from runyard import table
from runyard.manifest.problems import Problem

SCHEMA_VERSION = 1
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_text(problems: Sequence[Problem]) -> str:
    """Render one line for each problem."""
    return "".join(f"{problem.text()}\n" for problem in problems)


def describe(problems: Sequence[Problem]) -> dict[str, Any]:
    """Describe problems as plain data with a `schemaVersion`."""
    errors = sum(problem.severity == "error" for problem in problems)
    return {
        "schemaVersion": SCHEMA_VERSION,
        "valid": errors == 0,
        "summary": {"errors": errors, "warnings": len(problems) - errors},
        "problems": [_problem(problem) for problem in problems],
    }


def render_markdown(problems: Sequence[Problem]) -> str:
    """Render a table with a row for each problem."""
    rows = [(str(each.location), each.severity, each.path, each.message, each.hint) for each in problems]
    return "\n".join(table.render_markdown(("where", "severity", "path", "problem", "hint"), rows)) + "\n"


def render_sarif(problems: Sequence[Problem]) -> str:
    """Render as SARIF 2.1.0, with one rule for each kind of problem that occurs."""
    rules = sorted({problem.rule for problem in problems})
    index = {rule: number for number, rule in enumerate(rules)}
    results = [_result(problem, index) for problem in problems]
    if any(problem.justification for problem in problems):
        # All of a run or none: one without the key would be of unknown state.
        for problem, result in zip(problems, results, strict=True):
            result["suppressions"] = _suppressions(problem)
    run = {
        "tool": {"driver": {"name": "runyard", "rules": [{"id": rule} for rule in rules]}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.location.file,
        "line": problem.location.line,
        "column": problem.location.column,
        "path": problem.path,
        "severity": problem.severity,
        "rule": problem.rule,
        "message": problem.message,
        "hint": problem.hint,
    }


def _result(problem: Problem, index: dict[str, int]) -> dict[str, Any]:
    path = f"{problem.path}: " if problem.path else ""
    hint = f" ({problem.hint})" if problem.hint else ""
    place = {
        "artifactLocation": {"uri": quote(problem.location.file)},
        "region": {"startLine": problem.location.line, "startColumn": problem.location.column},
    }
    return {
        "ruleId": problem.rule,
        "ruleIndex": index[problem.rule],
        "level": problem.severity,
        "message": {"text": f"{path}{problem.message}{hint}"},
        "locations": [{"physicalLocation": place}],
    }


def _suppressions(problem: Problem) -> list[dict[str, str]]:
    return [{"kind": "inSource", "justification": problem.justification}] if problem.justification else []
