from __future__ import annotations

import pytest

from tests.harness.waiting import until


def test_until_gives_the_seconds_that_it_took() -> None:
    assert 0 <= until(lambda: True) < 1


def test_until_looks_again_while_nobody_answers() -> None:
    answers = iter([OSError("refused"), ValueError("no JSON"), True])

    def look() -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    until(look, every_s=0)
    assert next(answers, None) is None


def test_until_that_gives_up_says_for_what_and_why() -> None:
    def look() -> bool:
        raise OSError("refused")

    with pytest.raises(AssertionError) as raised:
        until(look, "it listens", within_s=0.02)
    assert str(raised.value) == "gave up after 0.02 s waiting until it listens (last error: refused)"


def test_until_lets_a_failed_assertion_through() -> None:
    def look() -> bool:
        assert 1 == 2, "it has ended"
        return True

    with pytest.raises(AssertionError, match="it has ended"):
        until(look)
