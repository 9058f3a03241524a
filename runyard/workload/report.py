"""Reports of a run as files: HTML, JSON, JUnit and Markdown."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from runyard.files import write
from runyard.workload.outcome import Outcome, describe_outcome
from runyard.workload.page import render_page
from runyard.workload.text import generator_line, headline, render_report


def write_reports(directory: Path, outcome: Outcome) -> None:
    """Write all reports into a directory, which is made where it is not there."""
    directory.mkdir(parents=True, exist_ok=True)
    write(directory / "report.html", render_page(outcome))
    write(directory / "report.json", json.dumps(describe_outcome(outcome), sort_keys=True) + "\n")
    write(directory / "report.xml", render_junit(outcome))
    write(directory / "report.md", render_report(outcome))


def render_junit(outcome: Outcome) -> str:
    """Render a test case for the generator, each threshold and each audit, as CI systems read them."""
    generator = outcome.generator.problems
    cases = [("generator: requests begin at their times", "; ".join(generator), generator_line(outcome.generator))]
    cases += [
        (f"threshold: {each.rule}", "" if each.passed else f"got {each.seen:.4g}", f"seen {each.seen:.4g}")
        for each in outcome.judgements
    ]
    cases += [
        (f"audit: {each.service} is counted as by its gateway", "; ".join(each.problems), "") for each in outcome.audits
    ]
    suite = ElementTree.Element("testsuite", name=f"load {outcome.name}", time=f"{outcome.seconds:g}")
    for name, failure, said in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=f"load.{outcome.name}", name=name)
        if failure:
            # A run that measured its generator did not fail: it could not be made.
            kind = "error" if failure == "; ".join(generator) else "failure"
            ElementTree.SubElement(case, kind, message=failure).text = headline(outcome)
        ElementTree.SubElement(case, "system-out").text = said
    errors = len(suite.findall("testcase/error"))
    suite.attrib |= {
        "tests": str(len(cases)), "failures": str(len(suite.findall("testcase/failure"))), "errors": str(errors),
    }  # fmt: skip
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"
