from __future__ import annotations

from services.orchestrator.failures import LINE_LENGTH, LOG_LINES, Failure, FailureLog


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
    failure = log.note("a", "x", tuple(f"{number}" * LINE_LENGTH for number in range(50)))
    assert len(failure.logs) == LOG_LINES
    assert failure.logs[-1].startswith("49")
    assert max(map(len, failure.logs)) == LINE_LENGTH
