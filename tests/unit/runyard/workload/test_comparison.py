"""Comparison: a difference is told where chance does not make it, and only there."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from runyard.errors import UsageError
from runyard.workload.comparison import (
    compare,
    describe_comparison,
    render_comparison,
    render_comparison_markdown,
)
from runyard.workload.outcome import Outcome, Stretch
from tests.unit.runyard.workload.made import outcome


def verdicts(before: Outcome, after: Outcome) -> dict[str, str]:
    return {each.measure: each.verdict for each in compare(before, after)}


def test_run_does_not_differ_from_itself() -> None:
    made = outcome(failing=7)
    found = compare(made, made)
    assert Counter(each.verdict for each in found) == {"within noise": 5}
    assert all(each.before == each.after and each.low <= 0 <= each.high for each in found)


def test_run_that_is_slower_throughout_is_worse_and_the_other_way_round_better() -> None:
    quick, slow = outcome(ms=10.0), outcome(ms=15.0)
    latencies = ("p50 ms", "p90 ms", "p99 ms")
    assert {verdicts(quick, slow)[name] for name in latencies} == {"worse"}
    assert {verdicts(slow, quick)[name] for name in latencies} == {"better"}
    assert verdicts(quick, slow)["failed %"] == "within noise"


def test_difference_is_that_of_the_two_runs_and_lies_in_its_interval() -> None:
    (median, *_) = compare(outcome(ms=10.0, spread_ms=0.0), outcome(ms=20.0, spread_ms=0.0))
    assert median.after - median.before == pytest.approx(10.0, rel=0.05)
    assert median.low <= median.after - median.before <= median.high


def test_failures_make_a_run_worse_and_serve_less() -> None:
    found = verdicts(outcome(), outcome(failing=2))
    assert (found["failed %"], found["served a second"]) == ("worse", "worse")
    found = verdicts(outcome(failing=2), outcome())
    assert (found["failed %"], found["served a second"]) == ("better", "better")


def uneven(made: Outcome, slow: frozenset[int]) -> Outcome:
    """Make some seconds of a run twice as slow: 20 buckets are an octave."""

    def changed(number: int, stretch: Stretch) -> Stretch:
        if number not in slow:
            return stretch
        return replace(stretch, counts=tuple((bucket + 20, count) for bucket, count in stretch.counts))

    return replace(made, stretches=tuple(changed(number, each) for number, each in enumerate(made.stretches)))


def test_single_slow_seconds_are_chance_however_many_requests_they_have() -> None:
    """What single requests as units would call certain: 800 of them, of which eighty are slow, against forty."""
    made = outcome(seconds=20, rate=40)
    before, after = uneven(made, frozenset({3})), uneven(made, frozenset({5, 11}))
    assert set(verdicts(before, after).values()) == {"within noise"}
    assert verdicts(before, uneven(made, frozenset(range(4, 18))))["p50 ms"] == "worse"


def test_warm_up_is_no_part_of_a_comparison() -> None:
    made = outcome(seconds=24)
    cold = uneven(made, frozenset(range(12)))
    warm = replace(
        cold,
        stretches=tuple(replace(each, warm_up=number < 12) for number, each in enumerate(cold.stretches)),
    )
    assert verdicts(made, cold)["p90 ms"] == "worse"
    assert verdicts(made, warm)["p90 ms"] == "within noise"


def test_short_run_is_refused_because_chance_cannot_be_told() -> None:
    with pytest.raises(UsageError) as raised:
        compare(outcome(), outcome(seconds=9))
    assert str(raised.value) == (
        "compare made: must have at least 10 stretches of a second or more after its warm-up, got 9"
    )


def test_same_seed_gives_the_same_intervals() -> None:
    one = outcome()
    # Of each second another part fails, so that hardly two draws come to the same sum.
    failing = [
        replace(each, attempted=1000 + 37 * number, served=1000 - number**3 % 89)
        for number, each in enumerate(one.stretches)
    ]
    other = replace(one, stretches=tuple(failing))
    assert compare(one, other, seed=3) == compare(one, other, seed=3)
    assert compare(one, other, seed=3) != compare(one, other, seed=4)


def test_run_without_latencies_is_shown_and_not_judged_by_them() -> None:
    made = outcome()
    empty = replace(made, stretches=tuple(replace(each, counts=(), served=0) for each in made.stretches))
    (median, *_) = compare(made, empty)
    assert (math.isnan(median.after), median.verdict) == (True, "within noise")
    described = describe_comparison(made, empty, compare(made, empty))
    assert (described["differences"][0]["after"], described["differences"][3]["verdict"]) == (None, "worse")


def test_comparison_is_rendered_for_terminals_and_as_markdown() -> None:
    found = compare(outcome(), outcome(failing=2))
    lines = render_comparison(found).splitlines()
    assert lines[0].split("  ")[0] == "measure"
    assert [line.split()[0] for line in lines[1:]] == ["p50", "p90", "p99", "failed", "served"]
    assert lines[4].split() == ["failed", "%", "0", "50", "+50", "+50", "to", "+50", "worse"]
    markdown = render_comparison_markdown(found).splitlines()
    assert markdown[1] == "| --- | ---: | ---: | ---: | --- | --- |"
    assert markdown[5] == "| failed % | 0 | 50 | +50 | +50 to +50 | worse |"
