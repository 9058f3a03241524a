from __future__ import annotations

import pytest

from runyard.host.log import LogLine, LogLines
from tests.unit.runyard.host.docker_api import ERRORS, OUTPUT, frame

WHOLE = (
    frame(OUTPUT, b"T1 one\n")
    + frame(ERRORS, b"T2 broken\r\n")
    + frame(OUTPUT, b"T3 tw")
    + frame(ERRORS, b"T4 half")
    + frame(OUTPUT, b"o words\nT5 three\n")
)
LINES = [
    LogLine("T1", OUTPUT, "one"),
    LogLine("T2", ERRORS, "broken"),
    LogLine("T3", OUTPUT, "two words"),
    LogLine("T5", OUTPUT, "three"),
]


@pytest.mark.parametrize("size", [1, 3, 8, 11, len(WHOLE)])
def test_lines_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    reader = LogLines()
    found = [line for at in range(0, len(WHOLE), size) for line in reader.feed(WHOLE[at : at + size])]
    assert found == LINES
    assert list(reader.rest()) == [LogLine("T4", ERRORS, "half")]
    assert list(reader.rest()) == []


def test_length_that_looks_like_a_line_end_ends_no_line() -> None:
    # Ten bytes: the header itself has a line feed.
    assert list(LogLines().feed(frame(OUTPUT, b"T1 123456\n"))) == [LogLine("T1", OUTPUT, "123456")]


def test_empty_lines_and_what_is_no_text_are_shown() -> None:
    reader = LogLines()
    assert list(reader.feed(frame(OUTPUT, b"T1 \nT2 \xff\n"))) == [
        LogLine("T1", OUTPUT, ""),
        LogLine("T2", OUTPUT, "�"),
    ]
