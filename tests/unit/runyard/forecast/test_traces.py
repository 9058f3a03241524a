"""Traces of files: both forms, and every line that is none with its place, its rule and what was seen."""

from __future__ import annotations

import pytest

from runyard.errors import UsageError
from runyard.forecast.traces import LINES_LIMIT, parse_trace
from runyard.scaling.simulation import Batch


def test_requests_by_the_second_are_read_in_order_of_time() -> None:
    text = "at_s,requests,request_ms\n5,3,\n0,2,250\n"
    assert parse_trace("t.csv", text, 0.1) == (Batch(0.0, 2, 0.25), Batch(5.0, 3, 0.1))


def test_invocations_begin_before_they_end() -> None:
    text = "app,func,end_timestamp,duration\na,f,10.0,9.0\nb,g,1.0,4.0\n"
    assert parse_trace("t.csv", text, 0.1) == (Batch(0.0, 1, 4.0), Batch(1.0, 1, 9.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv:1: must have the columns at_s,requests or end_timestamp,duration, got nothing"),
        ("a,b\n1,2\n", "t.csv:1: must have the columns at_s,requests or end_timestamp,duration, got a, b"),
        ("at_s,requests\n", "t.csv:2: must have a line for each moment with requests, got none"),
        ("at_s,requests\n1,2\nsoon,3\n", "t.csv:3: at_s: must be a number from 0 to 3.16224e+07, got 'soon'"),
        ("at_s,requests\n1,nan\n", "t.csv:2: requests: must be a number from 0 to 1e+07, got 'nan'"),
        ("at_s,requests\n1\n", "t.csv:2: requests: must be a number from 0 to 1e+07, got None"),
        ("at_s,requests\n1,1.5\n", "t.csv:2: requests: must be a whole number, got '1.5'"),
        ("end_timestamp,duration\n1,-1\n", "t.csv:2: duration: must be a number from 0 to 3.16224e+07, got '-1'"),
    ],
)
def test_line_that_is_none_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_trace("t.csv", text, 0.1)
    assert str(caught.value) == message


# A million lines of the same kind, which measuring coverage makes three times as long.
@pytest.mark.no_cover
def test_lines_beyond_the_limit_are_refused() -> None:
    text = "at_s,requests\n" + "1,1\n" * (LINES_LIMIT + 1)
    with pytest.raises(UsageError) as caught:
        parse_trace("t.csv", text, 0.1)
    assert str(caught.value) == f"t.csv:{LINES_LIMIT + 2}: must have at most {LINES_LIMIT} lines, got more"


def test_other_columns_are_left_alone_and_a_line_may_lack_them() -> None:
    assert parse_trace("t.csv", "who,at_s,requests\nme,1,2\n,3,4\n", 0.5) == (Batch(1.0, 2, 0.5), Batch(3.0, 4, 0.5))


def test_what_is_no_csv_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        parse_trace("t.csv", "at_s,requests\n1," + "2" * 200_000 + "\n", 0.1)
    assert str(caught.value) == "t.csv:2: must be CSV: field larger than field limit (131072)"
