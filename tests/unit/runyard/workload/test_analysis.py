"""Analysis: what is counted as what, latencies by both clocks, thresholds, and when a run says nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from runyard.workload.analysis import analyse, merged
from runyard.workload.model import Generator, Phase, Target
from runyard.workload.outcome import FAILED, PASSED, VOID, Audit, Capacity, Outcome
from runyard.workload.recording import UNSENT, Usage
from tests.unit.runyard.workload.made import BEGAN_UNIX_S, outcome_of, recording, scenario, thresholds

UNSENT_ROW = {"sent": False, "ms": math.nan, "late_ms": math.nan, "status": 0, "cause": UNSENT}
REFUSED = {"sent": False, "ms": 0.4, "status": 0, "cause": "connection refused"}
SILENT = {"ms": 5_000.0, "status": 0, "cause": "no answer in time"}


def analysed(*rows: dict[str, Any], **parts: Any) -> Outcome:
    return outcome_of(scenario(**parts), recording(rows))


def test_attempted_sent_answered_and_served_are_four_counts() -> None:
    wrong = {"status": 500, "cause": "status 500"}
    totals = analysed({}, {}, wrong, SILENT, REFUSED, UNSENT_ROW, {"sends": 2}).totals
    assert (totals.attempted, totals.sent, totals.answered, totals.served) == (7, 5, 4, 3)
    assert (totals.sent_again, totals.received_bytes, totals.failed) == (1, 35, 4)
    assert totals.failed_percent == pytest.approx(400 / 7)


def test_latency_counts_from_the_intended_start_and_from_the_send() -> None:
    found = analysed({"ms": 10.0}, {"ms": 10.0, "late_ms": 200.0})
    assert (found.intended.max_ms, found.from_send.max_ms) == (pytest.approx(210.0), pytest.approx(10.0))
    assert found.intended.mean_ms == pytest.approx(110.0)


def test_answer_that_never_came_is_slow_and_a_refused_connection_is_no_quick_answer() -> None:
    found = analysed(*[{"ms": 20.0}] * 98, SILENT, REFUSED).intended
    assert (found.count, found.p50_ms, found.max_ms) == (99, pytest.approx(20.0, rel=0.001), pytest.approx(5000.0))
    assert found.p99_ms == pytest.approx(20.0, rel=0.001)
    assert found.p999_ms == pytest.approx(5000.0, rel=0.001)


def test_percentiles_are_those_of_the_latencies() -> None:
    found = analysed(*({"ms": float(number)} for number in range(1, 1001))).intended
    seen = (found.p50_ms, found.p90_ms, found.p95_ms, found.p99_ms, found.p999_ms, found.max_ms)
    assert seen == pytest.approx((500, 900, 950, 990, 999, 1000), rel=0.002)
    percentiles = [percentile for percentile, _ in found.curve]
    assert percentiles == sorted(percentiles)
    assert percentiles[-1] == 100
    assert found.curve[-1][1] == pytest.approx(1000, rel=0.001)


def test_run_without_a_request_is_one() -> None:
    found = analysed(thresholds=thresholds(failedPercent=0))
    assert (found.totals.attempted, found.totals.failed_percent, found.intended.p99_ms) == (0, 0.0, 0.0)
    assert found.verdict == PASSED


@pytest.mark.parametrize(
    ("limit", "seen", "passed"),
    [
        ({"p50Milliseconds": 10.1}, 10, True),
        ({"p50Milliseconds": 9.9}, 10, False),
        ({"p95Milliseconds": 100.0}, 10, True),
        ({"p99Milliseconds": 299.0}, 300, False),
        ({"maxMilliseconds": 301.0}, 300, True),
        ({"failedPercent": 5.0}, 5, True),
        ({"failedPercent": 4.9}, 5, False),
        ({"minServedPerSecond": 47.5}, 47.5, True),
        ({"minServedPerSecond": 48.0}, 47.5, False),
    ],
)
def test_thresholds_are_held_to_what_was_seen(limit: dict[str, float], seen: float, passed: bool) -> None:
    wrong = {"status": 500, "cause": "status 500"}
    rows = [*[{}] * 92, *[{"ms": 300.0}] * 3, *[wrong] * 5]
    found = analysed(*rows, seconds=2.0, thresholds=thresholds(**limit))
    (judged,) = found.judgements
    assert (judged.seen, judged.passed) == (pytest.approx(seen, rel=0.001), passed)
    assert found.verdict == (PASSED if passed else FAILED)


def test_threshold_says_its_rule_in_words() -> None:
    limits = {"p99Milliseconds": 250.0, "failedPercent": 0.1, "minServedPerSecond": 40.0}
    rules = [each.rule for each in analysed({}, thresholds=thresholds(**limits)).judgements]
    assert rules == ["99th percentile at most 250 ms", "at most 0.1 % failed", "at least 40 served a second"]


def test_nothing_that_was_sent_is_no_proof_of_being_quick() -> None:
    assert analysed(REFUSED, thresholds=thresholds(p99Milliseconds=1000)).verdict == FAILED


def test_warm_up_counts_for_nothing_but_is_shown() -> None:
    rows = [{"due": 0.5, "ms": 900.0}, {"due": 1.5, **SILENT}, {"due": 2.5}, {"due": 3.5}]
    found = analysed(*rows, seconds=4.0, warm_up_s=2.0, thresholds=thresholds(maxMilliseconds=100, failedPercent=0))
    assert (found.totals.attempted, found.intended.max_ms, found.verdict) == (2, pytest.approx(10.0), PASSED)
    assert [each.warm_up for each in found.stretches] == [True, True, False, False]
    assert sum(each.attempted for each in found.stretches) == 4


def test_causes_are_counted_by_target_and_the_most_frequent_is_first() -> None:
    targets = (Target("a", url="http://localhost/"), Target("b", url="http://localhost/"))
    wrong = {"status": 503, "cause": "status 503"}
    found = analysed(wrong, {"target": 1, **wrong}, {"target": 1, **wrong}, REFUSED, {}, targets=targets)
    assert [(each.target, each.cause, each.count) for each in found.causes] == [
        ("b", "status 503", 2),
        ("a", "connection refused", 1),
        ("a", "status 503", 1),
    ]
    assert [(each.name, each.attempted, each.served) for each in found.targets] == [("a", 3, 1), ("b", 2, 0)]


def test_slowest_requests_are_told_with_their_ids() -> None:
    rows = [{"due": number / 10, "ms": 10.0 + number, "request_id": f"id{number}"} for number in range(50)]
    found = analysed(*rows, seconds=5.0).slowest
    assert [each.request_id for each in found] == [f"id{number}" for number in range(49, 29, -1)]
    assert (found[0].at_s, found[0].ms, found[0].status) == (4.9, pytest.approx(59.0), 200)


def test_long_run_has_no_more_stretches_than_fit_a_page() -> None:
    made = scenario(phases=(Phase("constant", 3600.0, 1.0),))
    found = outcome_of(made, recording({"due": at + 0.5} for at in range(3600)))
    assert (len(found.stretches), found.stretches[0].length_s) == (120, 30.0)
    assert {each.attempted for each in found.stretches} == {30}


def test_last_stretch_ends_with_the_run() -> None:
    found = analysed({"due": 0.2}, {"due": 2.2}, seconds=2.5)
    assert [(each.at_s, each.length_s, each.attempted) for each in found.stretches] == [
        (0.0, 1.0, 1),
        (1.0, 1.0, 0),
        (2.0, 0.5, 1),
    ]


def test_rows_of_all_workers_come_in_the_order_of_their_times() -> None:
    parts = [recording([{"due": 0.1}, {"due": 0.3}]), recording([{"due": 0.2}])]
    assert [row.due for row in merged(parts)] == [0.1, 0.2, 0.3]


STRICT = Generator(late_ms=50.0, late_percent=1.0)


def test_run_whose_generator_was_late_is_void_whatever_its_thresholds_say() -> None:
    rows = [*[{}] * 97, *[{"late_ms": 80.0}] * 3]
    found = outcome_of(
        scenario(generator=STRICT, thresholds=thresholds(failedPercent=0)),
        recording(rows, Usage(cpu_s=0.5, waited_s=0.25, elapsed_s=1.0)),
    )
    assert (found.verdict, found.generator.late, found.generator.worst_late_ms) == (VOID, 3, pytest.approx(80.0))
    assert found.generator.problems == (
        "3 of 100 requests began more than 50 ms late, at most 1 % may; its workers used 50 % of a core each and waited"
        " for one 25 % of the time",
    )


def test_as_many_late_requests_as_may_be_are_no_problem() -> None:
    found = analysed(*[{}] * 99, {"late_ms": 80.0}, generator=STRICT)
    assert (found.generator.late, found.generator.problems, found.verdict) == (1, (), PASSED)
    assert found.generator.p99_late_ms == pytest.approx(0.0)


def test_one_request_that_was_not_sent_makes_a_run_void() -> None:
    found = analysed(*[{}] * 999, UNSENT_ROW)
    assert (found.verdict, found.generator.unsent) == (VOID, 1)


def test_use_of_workers_is_their_mean() -> None:
    parts = [recording([{}], Usage(1.0, 0.0, 2.0)), recording([{}], Usage(0.0, 1.0, 2.0))]
    found = outcome_of(scenario(), *parts).generator
    assert (found.workers, found.cpu_percent, found.waited_percent) == (2, 25.0, 25.0)


def test_audit_that_does_not_agree_fails_a_run() -> None:
    agreed = Audit("shop/web", 1, 1, 0, 1, 1, 0, 0.0, 0)
    capacity = Capacity("shop/web", ((0.0, 1),), 0, 0.0)
    right = analyse(scenario(), recording([{}]).rows(), [Usage()], BEGAN_UNIX_S, [agreed], [capacity])
    wrong = replace(right, audits=(replace(agreed, problems=("not in the log",)),))
    assert (right.verdict, wrong.verdict, right.capacities) == (PASSED, FAILED, (capacity,))
