"""Reports: JSON and SARIF, the same for the same problems."""

from __future__ import annotations

import json

from runyard.manifest.model import Location
from runyard.manifest.problems import Problem
from runyard.manifest.report import describe, render_markdown, render_sarif, render_text

ERROR = Problem(Location("m/a b.yaml", 3, 7), "spec.x", "must be 1, got 2", "rule.one", "use 1")
WARNING = Problem(Location("m/a.yaml", 4, 1), "", "has no effect", "rule.two", severity="warning")


def test_text_is_one_line_for_each() -> None:
    assert render_text([ERROR, WARNING]) == (
        "m/a b.yaml:3:7: spec.x: must be 1, got 2 (use 1)\nm/a.yaml:4:1: warning: has no effect\n"
    )
    assert render_text([]) == ""


def test_markdown_is_a_row_for_each() -> None:
    assert render_markdown([ERROR, WARNING]).splitlines()[2:] == [
        "| m/a b.yaml:3:7 | error | spec.x | must be 1, got 2 | use 1 |",
        "| m/a.yaml:4:1 | warning |  | has no effect |  |",
    ]


def test_json_has_a_version_a_summary_and_every_part() -> None:
    report = describe([ERROR, WARNING])
    assert report == {
        "schemaVersion": 1,
        "valid": False,
        "summary": {"errors": 1, "warnings": 1},
        "problems": [
            {
                "file": "m/a b.yaml",
                "line": 3,
                "column": 7,
                "path": "spec.x",
                "severity": "error",
                "rule": "rule.one",
                "message": "must be 1, got 2",
                "hint": "use 1",
            },
            {
                "file": "m/a.yaml",
                "line": 4,
                "column": 1,
                "path": "",
                "severity": "warning",
                "rule": "rule.two",
                "message": "has no effect",
                "hint": "",
            },
        ],
    }


def test_json_with_warnings_alone_is_valid() -> None:
    assert describe([WARNING])["valid"] is True
    assert describe([])["summary"] == {"errors": 0, "warnings": 0}


def test_sarif_names_rules_places_and_levels() -> None:
    report = json.loads(render_sarif([ERROR, WARNING]))
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    assert run["tool"]["driver"]["rules"] == [{"id": "rule.one"}, {"id": "rule.two"}]
    first, second = run["results"]
    assert first == {
        "ruleId": "rule.one",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "spec.x: must be 1, got 2 (use 1)"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "m/a%20b.yaml"},
                    "region": {"startLine": 3, "startColumn": 7},
                }
            }
        ],
    }
    assert (second["level"], second["ruleIndex"], second["message"]["text"]) == ("warning", 1, "has no effect")
