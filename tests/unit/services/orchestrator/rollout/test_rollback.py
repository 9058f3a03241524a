import pytest

from runyard.contracts import RollbackRequest, RolloutRequest, TrafficShare
from runyard.errors import NotFound
from services.orchestrator.rollout.rollback import roll_back

CURRENT = RolloutRequest(
    "default",
    "hello",
    (TrafficShare("hello-3", 90), TrafficShare("hello-2", 10, "beta"), TrafficShare("hello-1", 0, "old")),
    deadline_s=600,
    duration_s=60,
    history=("hello-3", "hello-2", "hello-1"),
)


def test_rollback_moves_all_shares_and_leaves_every_tag_where_it_is():
    wanted = roll_back(CURRENT, RollbackRequest("default", "hello", "hello-1", deadline_s=20))
    assert wanted == RolloutRequest(
        "default",
        "hello",
        (TrafficShare("hello-1", 100), TrafficShare("hello-2", 0, "beta"), TrafficShare("hello-1", 0, "old")),
        deadline_s=20,
        history=CURRENT.history,
    )


def test_rollback_asked_for_again_changes_nothing_more():
    request = RollbackRequest("default", "hello", "hello-1")
    once = roll_back(CURRENT, request)
    assert roll_back(once, request) == once


def test_rollback_to_what_is_not_kept_names_what_is():
    with pytest.raises(NotFound) as raised:
        roll_back(CURRENT, RollbackRequest("default", "hello", "hello-0"))
    assert str(raised.value) == (
        "rollback default/hello: must be a revision that is kept (hello-3, hello-2, hello-1), got hello-0"
    )


def test_rollback_of_a_service_without_traffic_is_refused():
    with pytest.raises(NotFound, match=r"^rollback default/hello: it has no traffic in force$"):
        roll_back(None, RollbackRequest("default", "hello", "hello-0"))
