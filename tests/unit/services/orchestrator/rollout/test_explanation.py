from __future__ import annotations

from dataclasses import replace
from typing import Any

from runyard.contracts import Override, RolloutRequest, TrafficShare
from runyard.scaling.schedule import Stretch
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.explanation import Grounds, explain
from services.orchestrator.traffic.commitment import HeldCapacity, commit

from ..world import NOW, document

REVISIONS = {
    each.key: each
    for each in (
        Revision(document("hello-1", min_instances=2, max_instances=9)),
        Revision(document("hello-2", max_instances=0)),
    )
}
BOTH = (TrafficShare("hello-1", 75), TrafficShare("hello-2", 25))


def request(*shares: TrafficShare, **fields: Any) -> RolloutRequest:
    return RolloutRequest("default", "hello", shares or (TrafficShare("hello-1", 100),), 30, **fields)


def grounds(rollout: RolloutRequest | None = None, **fields: Any) -> Grounds:
    in_force = {"default/hello": commit(rollout, (), {}, NOW)} if rollout else {}
    return replace(Grounds(REVISIONS, in_force, {}, {}, {}, NOW), **fields)


def told(key: str, count: int, seen: Grounds) -> tuple[str, str, str]:
    found = explain(f"default/{key}", count, seen)
    return (found.service, found.why, found.reason)


def test_manifest_says_how_few_and_how_many() -> None:
    assert told("hello-1", 2, grounds(request())) == (
        "hello", "manifest", "its manifest asks for at least 2, at most 9, at 100 % of the traffic"
    )  # fmt: skip
    assert explain("default/hello-1", 2, grounds(request())).inputs == {"least": 2, "percent": 100}
    assert told("hello-2", 1, grounds(request(*BOTH)))[2] == (
        "its manifest asks for at least 0, without a limit, at 25 % of the traffic"
    )


def test_manifest_that_sets_a_number_says_so() -> None:
    assert told("hello-2", 1, grounds(request(*BOTH, manual_instances=3)))[1:] == (
        "manifest", "its manifest sets 3 instances by hand, of which it has its part at 25 % of the traffic"
    )  # fmt: skip


def test_schedule_is_the_reason_for_what_it_alone_asks_for() -> None:
    stretches = {"default/hello": Stretch(5, int(NOW) - 3600, int(NOW) + 60, 0)}
    assert told("hello-1", 5, grounds(request(), stretches=stretches))[1:] == (
        "schedule",
        "its schedule asks for at least 5 of the service since 2026-11-23 11:00:00Z until 2026-11-23 12:01:00Z",
    )
    assert told("hello-2", 2, grounds(request(*BOTH), stretches=stretches))[2] == (
        "its schedule asks for at least 5 of the service since 2026-11-23 11:00:00Z until 2026-11-23 12:01:00Z, "
        "of which it has its part at 25 % of the traffic"
    )
    # What the manifest asks for at all times, sets by hand, or the load needs beyond it, is not the schedule's.
    assert told("hello-1", 5, grounds(request(min_instances=5), stretches=stretches))[1] == "manifest"
    assert told("hello-1", 5, grounds(request(manual_instances=5), stretches=stretches))[1] == "manifest"
    assert told("hello-1", 6, grounds(request(), stretches=stretches))[1] == "manifest"


def test_number_that_was_asked_for_by_hand_is_told_with_its_end() -> None:
    by_hand = {"default/hello": Override("default", "hello", 1, int(NOW) + 3600)}
    assert told("hello-1", 1, grounds(request(), overrides=by_hand))[1:] == (
        "by-hand", "1 instance of the service: asked for by hand until 2026-11-23 13:00:00Z"
    )  # fmt: skip


def test_rollout_that_brings_a_revision_in_is_the_reason_for_it_alone() -> None:
    seen = grounds(request(), under_way={"default/hello": request(TrafficShare("hello-2", 100))})
    assert told("hello-2", 2, seen)[1:] == (
        "rollout", "a rollout brings it in: 2 instances must be ready before it gets traffic"
    )  # fmt: skip
    assert told("hello-1", 2, seen)[1] == "manifest"


def test_rollout_that_moves_shares_takes_over_what_serves() -> None:
    seen = grounds(request(*BOTH), under_way={"default/hello": request(TrafficShare("hello-2", 100))})
    assert told("hello-2", 4, seen)[1:] == (
        "rollout", "a rollout takes over what serves now: 4 instances must be ready before traffic moves"
    )  # fmt: skip


def test_capacity_of_a_rollout_is_kept_for_a_while() -> None:
    held = replace(commit(request(), (), {}, NOW), held=(HeldCapacity("hello-1", 5),))
    seen = grounds(in_force={"default/hello": held})
    assert told("hello-1", 5, seen)[1] == "held"
    assert told("hello-1", 5, seen)[2].startswith("it took over 5 instances in a rollout and keeps them for ")
    assert told("hello-1", 2, seen)[1] == "manifest"


def test_revision_without_traffic_or_document_says_so() -> None:
    assert told("hello-2", 0, grounds(request())) == ("hello", "unused", "no traffic names it")
    assert told("hello-3", 0, grounds()) == ("", "unused", "no traffic names it")
    lost = grounds(request(), revisions={})
    assert told("hello-1", 1, lost) == ("hello", "unreadable", "it has no document: what runs of it stays")
    coming = grounds(revisions={}, under_way={"default/hello": request()})
    assert told("hello-1", 1, coming)[:2] == ("hello", "rollout")
