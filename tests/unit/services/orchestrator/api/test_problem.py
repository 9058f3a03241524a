from __future__ import annotations

import json

from runyard.errors import NotFound
from services.orchestrator.api.problem import STATUSES, problem_of
from services.orchestrator.rollout.ending import RolloutFailed


def test_every_status_can_be_reached() -> None:
    # A wider kind before a narrower one would hide it.
    for index, (kind, _, _) in enumerate(STATUSES):
        assert not any(issubclass(kind, earlier) for earlier, _, _ in STATUSES[:index])


def test_problem_says_what_failed_and_shows_the_last_lines() -> None:
    answer = problem_of(RolloutFailed("rollout default/hello: it ended", ("boom",)))
    assert (answer.status, answer.content_type) == (409, "application/problem+json")
    assert json.loads(answer.text or "") == {
        "type": "about:blank",
        "title": "rollout failed",
        "status": 409,
        "detail": "rollout default/hello: it ended",
        "logs": ["boom"],
    }


def test_narrower_error_has_its_own_status() -> None:
    assert problem_of(NotFound("claim: this stack has none")).status == 404
