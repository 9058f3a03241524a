"""Text of an outcome: the whole of it, as a terminal and a pull request show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runyard.workload.model import Phase, Target
from runyard.workload.outcome import Audit, Capacity, Judgement, Outcome, TargetOutcome
from runyard.workload.text import audit_line, capacity_line, headline, problems, render_plan, render_report, render_text
from tests.unit.runyard.workload.made import outcome, scenario

# What is expected of reports, whole; a change of their words is seen there.
EXPECTED = Path(__file__).parent / "expected"


def rich() -> Outcome:
    """Give an outcome in which everything is there."""
    made = outcome(failing=10)
    return replace(
        made,
        name='shop <in the "morning">',
        warm_up_s=5.0,
        generator=replace(made.generator, cpu_percent=12.5, waited_percent=3.2, late=2, worst_late_ms=61.25),
        targets=(*made.targets, TargetOutcome("buy & pay", 0, 0, 0.0, 0.0)),
        judgements=(
            Judgement("p99Milliseconds", "99th percentile at most 250 ms", 11.8, passed=True),
            Judgement("failedPercent", "at most 1 % failed", 10.0, passed=False),
        ),
        audits=(
            Audit("shop/web", 400, 399, 7, 406, 407, 3, 0.412, 2, ("1 answered request not in the gateway's log",)),
            Audit("shop/cart", 10, 10, 0, 10, 10, 1, 0.2, 0),
        ),
        capacities=(Capacity("shop/web", ((-0.1, 0), (0.6, 1), (4.25, 3)), 3, 4.25), Capacity("shop/cart", (), 0, 0.0)),
    )


@pytest.mark.parametrize(("name", "text"), [("report.txt", render_text(rich())), ("report.md", render_report(rich()))])
def test_report_is_exactly_what_is_expected(name: str, text: str) -> None:
    assert text == (EXPECTED / name).read_text(encoding="utf-8")


def test_verdict_is_the_first_word() -> None:
    made = outcome()
    void = replace(made, generator=replace(made.generator, problems=("late",)))
    assert headline(made) == "passed: made, 400 requests in 20 s"
    assert headline(void) == "void (the generator measured itself): made, 400 requests in 20 s"
    assert headline(rich()).startswith("failed: ")
    for each in (made, void, rich()):
        assert render_text(each).startswith(headline(each))


def test_short_report_has_no_table_of_one_target_and_none_of_no_cause() -> None:
    lines = render_text(outcome()).splitlines()
    assert not any(line.startswith(("target", "not served")) for line in lines)
    assert lines[1] == "  400 attempted, 400 sent, 400 answered, 400 served: 20.0 a second, 0 % failed"


def test_requests_that_were_sent_twice_are_told() -> None:
    made = outcome()
    twice = replace(made, totals=replace(made.totals, sent_again=2))
    assert "400 sent (2 of them twice), 400 answered" in render_text(twice)


def test_every_reason_is_told() -> None:
    assert list(problems(rich())) == [
        "at most 1 % failed, got 10",
        "shop/web: 1 answered request not in the gateway's log",
    ]


def test_counts_of_one_are_said_as_such() -> None:
    assert "1 request waited for an instance, at most 0.2 s" in audit_line(rich().audits[1])
    assert "lines of other clients" not in audit_line(rich().audits[1])
    assert capacity_line(Capacity("shop/web", ((0.0, 1),), 1, 0.0)) == (
        "shop/web: 1 to 1 ready instances, the most after 0.0 s; 1 instance started"
    )


def test_plan_says_what_would_be_sent() -> None:
    made = scenario(
        phases=(Phase("ramp", 20.0, 40.0), Phase("constant", 60.0, 40.0, gaps="poisson")),
        targets=(
            Target("browse", service="shop/web"),
            Target("GET x", url="http://localhost/x", method="POST", weight=3),
        ),
    )
    assert render_plan(made) == (
        "made: 2,800 requests in 80 s from 1 worker; nothing was sent\n"
        "\n"
        "phase  shape     gaps     seconds  requests  most a second\n"
        "    1  ramp      even          20       400          39.98\n"
        "    2  constant  poisson       60     2,400             40\n"
        "\n"
        "target  method  asked at            weight\n"
        "browse  GET     shop/web/                1\n"
        "GET x   POST    http://localhost/x       3\n"
    )
