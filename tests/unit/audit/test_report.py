from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from tests.audit.checks import Outcome
from tests.audit.report import CLEAN, FOUND, NOT_CHECKED, render
from tests.audit.waivers import FILE, OWN_CODE, BadWaiver, Finding, Waiver, Waivers, load_waivers
from tests.unit.checkout import ROOT

TODAY = datetime.date(2026, 11, 27)
FINDING = Finding("Go programs", "GO-1", "hello", "hello: GO-1: bad")
CLEAN_OUTCOME = Outcome(OWN_CODE, "3 files")
FOUND_OUTCOME = Outcome("Go programs", "1 program", (FINDING,))
BLIND_OUTCOME = Outcome("Python packages", unchecked="ask https://osv: no way")
UNTIL = datetime.date(2027, 1, 31)
WAIVED = Waivers((Waiver("Go programs", ("GO-1",), ("hel*",), "why", UNTIL),))


def test_nothing_found_where_all_was_looked_at_is_clean() -> None:
    report = render([CLEAN_OUTCOME], Waivers(), TODAY, tolerant=False)
    assert (report.code, report.lines) == (CLEAN, ("audit: own code: 3 files: nothing found",))


def test_finding_is_told_and_fails() -> None:
    report = render([CLEAN_OUTCOME, FOUND_OUTCOME], Waivers(), TODAY, tolerant=False)
    assert report.code == FOUND
    assert report.lines[1:] == ("audit: Go programs: 1 program: 1 found", "  hello: GO-1: bad")


def test_waived_finding_is_counted_and_passes() -> None:
    report = render([FOUND_OUTCOME], WAIVED, TODAY, tolerant=False)
    assert (report.code, report.lines) == (CLEAN, ("audit: Go programs: 1 program: nothing found, 1 waived",))


@pytest.mark.parametrize(
    ("until", "said"), [(TODAY - datetime.timedelta(1), "was until"), (datetime.date(9999, 1, 1), "within a year")]
)
def test_waiver_that_is_over_or_has_no_end_fails(until: datetime.date, said: str) -> None:
    waivers = Waivers((Waiver("Go programs", ("GO-1",), ("hello",), "why", until),))
    report = render([FOUND_OUTCOME], waivers, TODAY, tolerant=False)
    assert report.code == FOUND
    assert said in report.lines[-1]


def test_waiver_of_own_code_that_waives_nothing_fails() -> None:
    waivers = Waivers((Waiver(OWN_CODE, ("B101",), ("a.py",), "why"),))
    report = render([CLEAN_OUTCOME], waivers, TODAY, tolerant=False)
    assert (report.code, report.lines[-1]) == (FOUND, "audit: waiver of B101: waives nothing; remove it")
    # What was not looked at may have it still.
    assert render([Outcome(OWN_CODE, unchecked="x")], waivers, TODAY, tolerant=False).code == NOT_CHECKED


def test_what_was_not_checked_is_never_clean() -> None:
    report = render([CLEAN_OUTCOME, BLIND_OUTCOME], Waivers(), TODAY, tolerant=False)
    assert report.code == NOT_CHECKED
    assert report.unchecked == ("NOT CHECKED: Python packages: ask https://osv: no way",)
    assert report.lines[-1] == f"audit: {report.unchecked[0]}"


def test_ci_may_leave_unchecked_what_is_named_and_tells_it_all_the_same() -> None:
    named = Waivers(unchecked={"Python packages": "no way to osv.dev"})
    report = render([CLEAN_OUTCOME, BLIND_OUTCOME], named, TODAY, tolerant=True)
    assert (report.code, len(report.unchecked)) == (CLEAN, 1)
    assert render([BLIND_OUTCOME], named, TODAY, tolerant=False).code == NOT_CHECKED
    assert (
        render([BLIND_OUTCOME, Outcome("Go programs", unchecked="x")], named, TODAY, tolerant=True).code == NOT_CHECKED
    )


def test_finding_beside_what_was_not_checked_is_a_finding() -> None:
    named = Waivers(unchecked={"Python packages": "no way to osv.dev"})
    assert render([FOUND_OUTCOME, BLIND_OUTCOME], named, TODAY, tolerant=True).code == FOUND


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[", "read "),
        ('[unchecked]\n"a" = ""', "must give each subject a reason"),
        ('[["own code"]]\nrules = ["B1"]\nsubjects = ["*"]', "must have reason, rules, subjects, got rules, subjects"),
        ('[["own code"]]\nrules = ["B1"]\nsubjects = ["*"]\nreason = ""', "must name rules, subjects and a reason"),
        (
            '[["Go programs"]]\nrules = ["G"]\nsubjects = ["*"]\nreason = "r"',
            "must have reason, rules, subjects, until",
        ),
        ('[["Go programs"]]\nrules = ["G"]\nsubjects = ["*"]\nreason = "r"\nuntil = "x"', "until: must be a date"),
    ],
)
def test_waiver_without_rule_subject_reason_or_end_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "waivers.toml").write_text(text)
    with pytest.raises(BadWaiver, match=said):
        load_waivers(tmp_path / "waivers.toml")


def test_our_waivers_can_be_read_and_end_within_a_year() -> None:
    waivers = load_waivers(ROOT / FILE)
    assert waivers.accepted
    assert {each.check for each in waivers.accepted} <= {OWN_CODE, "Go programs"}
