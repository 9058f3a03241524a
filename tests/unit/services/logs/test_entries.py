"""What is written at once is one entry, and what is not is none, by lines and times alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.logs.entries import GAP_S, MOST_CHARACTERS, MOST_LINES, SLACK_S, Entries, Entry
from services.logs.lines import Line

START = datetime(2026, 11, 28, 2, 26, tzinfo=UTC)


def line(text: str, number: int = 0, after_s: float = 0.0, output: str = "stdout", *, ended: bool = True) -> Line:
    return Line(number, (START + timedelta(seconds=after_s)).isoformat(), output, text, ended)


def joined(*lines: Line) -> list[str]:
    entries = Entries()
    found = [entry for each in lines for entry in entries.take(each)]
    return [each.text for each in [*found, *entries.end()]]


def of(text: str, apart_s: float = 0.0) -> list[str]:
    """Join the lines of a text, each so long after the one before."""
    return joined(*(line(each, number, number * apart_s) for number, each in enumerate(text.split("\n"))))


PYTHON = """Traceback (most recent call last):
  File "app.py", line 1, in <module>
    1 / 0
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 3, in <module>
    raise KeyError("x")
KeyError: 'x'"""
JAVA = """java.lang.IllegalStateException: no stock
\tat shop.Order.place(Order.java:7)
Caused by: java.lang.NullPointerException
\tat shop.Stock.take(Stock.java:9)
\t... 12 more"""
GO = """panic: no stock

goroutine 1 [running]:
main.place(0x7)
\t/app/main.go:7 +0x18
main.main()
\t/app/main.go:3 +0x12
exit status 2"""
NODE = """Error: no stock
    at place (/app/order.js:7:9)
    at /app/index.js:3:1"""
PRETTY = """{
  "order": 7
}"""


@pytest.mark.parametrize("trace", [PYTHON, JAVA, GO, NODE, PRETTY], ids=["python", "java", "go", "node", "pretty"])
def test_trace_is_one_entry_and_what_is_around_it_are_others(trace: str) -> None:
    assert of(f"before\n{trace}\nafter: all is well", 0.02) == ["before", trace, "after: all is well"]


def test_message_that_was_logged_with_its_traceback_is_one_entry() -> None:
    assert of(f"ERROR order 7 failed\n{PYTHON}", 0.001) == [f"ERROR order 7 failed\n{PYTHON}"]
    assert of(f"GET /\n{PYTHON}", 0.1) == ["GET /", PYTHON]


def test_line_that_comes_later_or_on_the_other_output_is_not_joined() -> None:
    assert joined(line("one"), line("  two", 1, GAP_S + 0.1)) == ["one", "  two"]
    assert joined(line("one"), line("  two", 1, output="stderr"), line("  three", 2)) == ["one\n  three", "  two"]


def test_json_is_an_entry_at_once_and_is_continued_by_nothing() -> None:
    entries = Entries()
    assert [each.text for each in entries.take(line('{"a":1}'))] == ['{"a":1}']
    assert entries.begun is None
    assert joined(line('{"a":1}'), line("  two", 1)) == ['{"a":1}', "  two"]


def test_parts_of_a_long_line_are_one_line_however_late_they_come() -> None:
    parts = [line("a" * 9, 0, ended=False), line("b" * 9, 1, 5.0, ended=False), line("c", 2, 9.0), line("d", 3, 9.0)]
    assert joined(*parts) == ["a" * 9 + "b" * 9 + "c", "d"]


def test_line_that_is_too_long_is_cut_and_says_by_how_much() -> None:
    entries = Entries()
    for number in range(3):
        assert list(entries.take(line("x" * MOST_CHARACTERS, number, ended=number == 2))) == []
    (entry,) = entries.end()
    assert (len(entry.text), entry.cut) == (MOST_CHARACTERS, 2 * MOST_CHARACTERS)


def test_trace_without_an_end_is_cut_into_entries() -> None:
    found = of("\n".join(["Error: deep", *["    at f (x.js:1:1)"] * MOST_LINES]))
    assert [each.count("\n") + 1 for each in found] == [MOST_LINES, 1]


def test_entry_is_given_when_nothing_can_belong_to_it_any_more() -> None:
    entries = Entries()
    assert list(entries.take(line("one", 7))) == []
    assert entries.begun == (7, START.isoformat())
    written = START.timestamp()
    assert list(entries.settle(written + GAP_S + SLACK_S - 0.01)) == []
    assert list(entries.settle(written + GAP_S + SLACK_S + 0.01)) == [Entry(7, START.isoformat(), "stdout", "one")]
    assert entries.begun is None
