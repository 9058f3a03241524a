from __future__ import annotations

from dataclasses import replace

import pytest

from runyard.contracts import RolloutRequest, TrafficShare
from services.orchestrator.instances.failures import Failure
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.ending import Ending, Progress, decide_ending

from ..world import document

KEY = "shop/web-1"
REQUEST = RolloutRequest("shop", "web", (TrafficShare("web-1", 100),), deadline_s=10)
REVISION = Revision(document("web-1", tenant="shop", service="web"))
WAITING = Progress({KEY: REVISION}, {KEY: 2}, {}, {}, {}, listed=True, waited_s=1)


def test_ready_needs_the_least_number_of_instances() -> None:
    assert decide_ending(REQUEST, replace(WAITING, ready={KEY: 1})) is None
    assert decide_ending(REQUEST, replace(WAITING, ready={KEY: 2})) == Ending("ready")


def test_ready_needs_no_instance_of_a_revision_that_is_to_have_none() -> None:
    assert decide_ending(REQUEST, replace(WAITING, needed={KEY: 0})) == Ending("ready")


def test_ready_needs_every_revision() -> None:
    both = replace(REQUEST, traffic=(TrafficShare("web-1", 50), TrafficShare("web-2", 50)))
    revisions = {KEY: REVISION, "shop/web-2": Revision(document("web-2", tenant="shop", service="web"))}
    assert (
        decide_ending(
            both,
            replace(WAITING, revisions=revisions, needed={KEY: 2, "shop/web-2": 2}, ready={KEY: 2, "shop/web-2": 1}),
        )
        is None
    )


def test_missing_document_fails_only_after_a_listing() -> None:
    assert decide_ending(REQUEST, replace(WAITING, revisions={}, listed=False)) is None
    assert decide_ending(REQUEST, replace(WAITING, revisions={})) == Ending(
        "failed", "revision web-1: has no document here", KEY
    )


@pytest.mark.parametrize(("streak", "hopeless"), [(1, False), (2, False), (3, True)])
def test_same_end_three_times_is_hopeless(streak: int, hopeless: bool) -> None:
    ending = decide_ending(
        REQUEST, replace(WAITING, failures={KEY: Failure("exited with code 1", ("x",), streak=streak)})
    )
    expected = Ending("failed", "revision web-1: exited with code 1 (3 times)", KEY, ("x",))
    assert ending == (expected if hopeless else None)


def test_final_failure_is_hopeless_at_once() -> None:
    ending = decide_ending(REQUEST, replace(WAITING, failures={KEY: Failure("no such image", final=True)}))
    assert ending == Ending("failed", "revision web-1: no such image", KEY)


def test_failures_of_a_revision_that_is_ready_all_the_same_do_not_count() -> None:
    progress = replace(WAITING, ready={KEY: 2}, failures={KEY: Failure("x", final=True)})
    assert decide_ending(REQUEST, progress) == Ending("ready")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"problems": {KEY: "startup probe tcp :80: connection refused"}}, "startup probe tcp :80: connection refused"),
        ({"failures": {KEY: Failure("exited with code 1")}}, "exited with code 1"),
        ({}, "no instance could be started"),
        ({"revisions": {}, "listed": False}, "the container engine did not answer"),
    ],
)
def test_deadline_fails_with_what_was_seen_last(change: dict[str, object], cause: str) -> None:
    ending = decide_ending(REQUEST, replace(WAITING, waited_s=10, **change))  # type: ignore[arg-type]
    assert ending == Ending("failed", f"revision web-1: not ready in 10 s: {cause}", KEY)
