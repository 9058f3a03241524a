from __future__ import annotations

import threading

import pytest

from runyard.uptodate.meanwhile import Meanwhile


def test_question_is_answered_while_others_are_asked() -> None:
    asked = threading.Event()
    with Meanwhile(lambda: asked.wait(10)) as question:
        asked.set()
        assert question.result() is True


def test_question_that_fails_raises_where_its_answer_is_wanted() -> None:
    with Meanwhile(lambda: int("none")) as question, pytest.raises(ValueError, match="none"):
        question.result()


def test_block_ends_when_it_has_been_answered_wanted_or_not() -> None:
    answered: list[bool] = []
    with Meanwhile(lambda: answered.append(True)):
        pass
    assert answered == [True]
