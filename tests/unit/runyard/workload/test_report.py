"""Reports as files: all of them, and JUnit as CI systems read it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

from runyard.workload.outcome import parse_outcome
from runyard.workload.report import render_junit, write_reports
from tests.unit.runyard.workload.made import outcome
from tests.unit.runyard.workload.test_text import rich


def test_directory_is_made_and_has_every_form(tmp_path: Path) -> None:
    directory = tmp_path / "out" / "today"
    write_reports(directory, rich())
    write_reports(directory, rich())
    assert sorted(each.name for each in directory.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
        "report.xml",
    ]
    assert parse_outcome((directory / "report.json").read_text()) == rich()
    assert (directory / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads((directory / "report.json").read_text())["verdict"] == "failed"


def test_junit_has_a_case_for_generator_thresholds_and_audits() -> None:
    suite = ElementTree.fromstring(render_junit(rich()))
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("5", "2", "0")
    failed = {each.attrib["name"]: each.find("failure") for each in suite.iter("testcase")}
    assert [name for name, failure in failed.items() if failure is not None] == [
        "threshold: at most 1 % failed",
        "audit: shop/web is counted as by its gateway",
    ]
    failure = failed["threshold: at most 1 % failed"]
    assert failure is not None
    assert failure.attrib["message"] == "got 10"


def test_junit_of_a_void_run_has_an_error_for_it_could_not_be_made() -> None:
    made = outcome()
    void = replace(made, generator=replace(made.generator, problems=("late", "unsent")))
    suite = ElementTree.fromstring(render_junit(void))
    (error,) = suite.iter("error")
    assert error.attrib["message"] == "late; unsent"
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("0", "1")


def test_junit_of_a_run_that_passed_has_neither() -> None:
    suite = ElementTree.fromstring(render_junit(outcome()))
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("1", "0", "0")
    assert "generator: 1 worker" in (suite.findtext("testcase/system-out") or "")
