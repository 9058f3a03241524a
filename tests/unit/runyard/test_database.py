"""Waiting for a database; what asks one is tried on a real Postgres in tests/unit/services."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from runyard.database import reason_of, when_it_answers


def test_what_needs_the_database_is_tried_until_it_answers() -> None:
    answers = iter([ConnectionError("starting"), None])
    asked = []

    def action() -> None:
        asked.append(1)
        if (error := next(answers)) is not None:
            raise error

    when_it_answers(action, ConnectionError)
    assert len(asked) == 2


def test_other_errors_are_not_waited_for() -> None:
    def action() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match=r"^wrong$"):
        when_it_answers(action, ConnectionError)


def test_reason_is_the_databases_first_line() -> None:
    assert reason_of(OperationalError("SELECT 1", {}, Exception("is away\nHINT: none"))) == "is away"
    assert reason_of(TimeoutError("the pool has none left")) == "the pool has none left"
