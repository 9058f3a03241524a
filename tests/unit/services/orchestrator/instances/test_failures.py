from __future__ import annotations

import pytest

from services.orchestrator.instances.failures import LINE_LENGTH, LOG_LINES, Failure, FailureLog, shown_line


def test_same_reason_grows_the_streak_and_another_ends_it() -> None:
    log = FailureLog()
    log.note("a", "x")
    assert log.note("a", "x") == Failure("x", total=2, streak=2)
    assert log.note("a", "y") == Failure("y", total=3, streak=1)


def test_revisions_are_counted_apart_and_forgotten_when_told() -> None:
    log = FailureLog()
    log.note("a", "x")
    log.note("b", "x", final=True)
    log.keep(["b"])
    assert log.last() == {"b": Failure("x", final=True)}


def test_log_lines_are_the_last_ones_and_bounded() -> None:
    log = FailureLog()
    failure = log.note("a", "x", tuple(f"{number}" for number in range(50)))
    assert len(failure.logs) == LOG_LINES
    assert failure.logs[-1] == "49"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain, ünïcode 日本\tand tabs", "plain, ünïcode 日本\tand tabs"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("over\rwritten\x08\x7f\x9b", "over\\rwritten\\x08\\x7f\\x9b"),
        ("right\u202eto left", "right\\u202eto left"),
        ("x" * (LINE_LENGTH + 1), "x" * LINE_LENGTH),
    ],
    ids=["text", "terminal_escapes", "control_characters", "direction", "length"],
)
def test_line_is_shown_without_what_would_act_on_a_terminal(written: str, shown: str) -> None:
    assert shown_line(written) == shown
    assert FailureLog().note("a", written).reason == shown


def test_kills_for_memory_are_counted_among_the_failures() -> None:
    log = FailureLog()
    assert log.note("a", "x", oom=True).oom_kills == 1
    assert log.note("a", "y").oom_kills == 1
    assert (log.note("a", "x", oom=True).oom_kills, log.last()["a"].total) == (2, 3)
