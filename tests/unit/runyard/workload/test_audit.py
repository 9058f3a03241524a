"""Audit: our requests against the gateway's log by id, and its counter against its log."""

from __future__ import annotations

import pytest

from runyard.contracts import RecordedLoad, RequestLine
from runyard.workload.audit import audit, count_recorded
from runyard.workload.recording import Row
from tests.unit.runyard.workload.made import recording

SERVICE = "shop/web"


def line(number: int, status: int = 200, held_s: float = 0.0, retries: int = 0) -> RequestLine:
    return RequestLine(
        time="2027-01-15T08:00:00+00:00",
        unix_s=1_800_000_000.5,
        request_id=f"{number:032x}",
        listener="edge",
        client="127.0.0.1",
        caller="",
        host="web.shop.localhost",
        tenant="shop",
        service="web",
        revision="web-1",
        instance="10.0.0.2:8080",
        method="GET",
        path="/",
        status=status,
        bytes_in=100,
        bytes_out=200,
        duration_s=0.01,
        instances="10.0.0.2:8080",
        connect_s="0.000",
        header_s="0.009",
        response_s="0.010",
        retries=retries,
        held_s=held_s,
    )


def ours(*statuses: int) -> list[Row]:
    rows = [
        {"due": number / 10, "status": each, "request_id": f"{number:032x}"} for number, each in enumerate(statuses)
    ]
    return recording(rows).rows()


def test_equal_counts_have_no_problem() -> None:
    found = audit(SERVICE, ours(200, 200, 503), [line(0), line(1, held_s=0.4, retries=2), line(2, 503)], 3)
    assert (found.answered, found.logged, found.others, found.counted, found.expected) == (3, 3, 0, 3, 3)
    assert (found.cold, found.held_s, found.retries, found.problems) == (1, 0.4, 2, ())


def test_answer_that_the_log_does_not_have_is_told_by_its_id() -> None:
    found = audit(SERVICE, ours(200, 200), [line(0)], 1)
    assert found.problems == (f"1 answered request not in the gateway's log, such as {1:032x}",)
    assert (found.answered, found.logged) == (2, 1)


def test_many_missing_answers_are_counted_and_some_named() -> None:
    (problem,) = audit(SERVICE, ours(*[200] * 5), [], 0).problems
    named = ", ".join(f"{number:032x}" for number in range(3))
    assert problem == f"5 answered requests not in the gateway's log, such as {named}"


@pytest.mark.parametrize("lines", [[line(0, 502)], [line(0), line(0)]], ids=["status", "twice"])
def test_answer_that_the_log_has_otherwise_is_told(lines: list[RequestLine]) -> None:
    found = audit(SERVICE, ours(200), lines, len(lines))
    assert found.problems == (f"1 request logged twice or with another status than answered, such as {0:032x}",)
    assert found.logged == 0


def test_lines_of_other_clients_are_no_problem_and_are_told() -> None:
    found = audit(SERVICE, ours(200), [line(0), line(70), line(71)], 3)
    assert (found.others, found.expected, found.problems) == (2, 3, ())


def test_request_without_an_answer_has_no_id_to_look_for() -> None:
    unanswered = recording([{"status": 0, "cause": "no answer in time"}]).rows()
    found = audit(SERVICE, unanswered, [line(9, 499)], 1)
    assert (found.answered, found.others, found.problems) == (0, 1, ())


@pytest.mark.parametrize("counted", [1, 3])
def test_counter_that_moved_by_more_or_less_than_the_log_is_told(counted: int) -> None:
    found = audit(SERVICE, ours(200, 200), [line(0), line(1)], counted)
    assert found.problems == (f"the gateway counted {counted} requests, and its log has 2",)


def test_what_a_limit_refused_may_or_may_not_have_been_counted() -> None:
    rows, lines = ours(200, 429, 429), [line(0), line(1, 429), line(2, 429)]
    assert [audit(SERVICE, rows, lines, counted).problems for counted in (1, 2, 3)] == [(), (), ()]
    assert audit(SERVICE, rows, lines, 4).problems == ("the gateway counted 4 requests, and its log has 1 to 3",)


def test_record_is_counted_from_the_minute_on_with_which_it_began() -> None:
    load = RecordedLoad("shop", "web", 0, 0, ((99, 7, 70, 1), (100, 3, 30, 1), (102, 2, 20, 1)))
    assert (count_recorded(load, 100), count_recorded(load, 103), count_recorded(None, 0)) == (5, 0, 0)
