from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runyard.contracts import RolloutRequest, TrafficShare, VolumeDocument
from services.orchestrator.model.revision import Revision
from services.orchestrator.scaling.demand import View, give_way, needed, serving_now, take_on, take_over, wanted
from services.orchestrator.traffic.commitment import Commitment, HeldCapacity, commit

from ..world import document

KEY = "shop/web"
DATA = VolumeDocument("data", "persistent", 1)
ONE, TWO = "shop/web-1", "shop/web-2"


def revision(number: int, **spec: Any) -> Revision:
    return Revision(document(f"web-{number}", tenant="shop", service="web", **spec))


def request(*shares: int, **fields: Any) -> RolloutRequest:
    """Ask for these shares of web-1, web-2 …"""
    traffic = tuple(TrafficShare(f"web-{number}", share) for number, share in enumerate(shares, 1))
    return RolloutRequest("shop", "web", traffic, **fields)


def in_force(*shares: int, **fields: Any) -> Commitment:
    return commit(request(*shares, **fields), (), {}, 1000)


def view(ready: tuple[int, ...] = (4, 0), at: float = 1000, **spec: Any) -> View:
    """See web-1, with a minimum of 4, and web-2 with these ready instances."""
    revisions = {ONE: revision(1, min_instances=4), TWO: revision(2, **spec)}
    return View(revisions, dict(zip((ONE, TWO), ready, strict=True)), at)


@pytest.mark.parametrize(
    ("shares", "count"), [((0, 100), 4), ((50, 50), 2), ((74, 26), 2), ((99, 1), 1), ((100, 0), 1)]
)
def test_new_revision_needs_its_share_of_the_capacity_of_now(shares: tuple[int, int], count: int) -> None:
    assert needed(request(*shares), in_force(100), view())[TWO] == count


def test_what_is_being_added_for_the_rollout_is_not_capacity_of_now() -> None:
    current = in_force(80, 20)
    counts = [needed(request(40, 60), current, view((4, ready)))[TWO] for ready in range(1, 9)]
    assert set(counts) == {3}


def test_old_revision_that_is_not_ready_is_no_capacity_to_match() -> None:
    assert needed(request(0, 100), in_force(100), view((1, 0)))[TWO] == 1
    assert needed(request(0, 100), in_force(100), view((0, 0)))[TWO] == 1


def test_first_rollout_and_one_that_moves_nothing_need_the_minimum_alone() -> None:
    assert needed(request(0, 100), None, view())[TWO] == 1
    assert serving_now(request(100), in_force(100), view()) == 0
    assert serving_now(request(100, 0), in_force(100), view()) == 0


def test_revision_without_document_is_wanted_all_the_same() -> None:
    assert wanted({KEY: in_force(0, 0, 100)}, {}, view())["shop/web-3"] == 1


def test_rollout_under_way_adds_to_what_is_in_force_and_takes_nothing_from_it() -> None:
    assert wanted({KEY: in_force(100)}, {KEY: request(0, 100)}, view()) == {ONE: 4, TWO: 4}


def test_only_what_is_above_the_minimum_is_held() -> None:
    assert take_over(request(0, 100), in_force(100), view()) == {"web-2": 4}
    assert take_over(request(0, 100), in_force(100), view(min_instances=4)) == {}
    assert take_over(request(0, 100), None, view()) == {}
    assert take_over(request(0, 100, manual_instances=2), in_force(100), view()) == {}


def test_old_side_of_a_shift_holds_what_it_has_above_its_minimum() -> None:
    settled = View({ONE: revision(1), TWO: revision(2)}, {ONE: 3}, 1000)
    holding = replace(in_force(100), held=(HeldCapacity("web-1", 3),))
    assert take_over(request(0, 100, duration_s=60), holding, settled) == {"web-1": 3, "web-2": 3}


def test_held_capacity_is_wanted_until_its_time_is_over() -> None:
    holding = replace(in_force(0, 100), held=(HeldCapacity("web-2", 3),))
    assert [wanted({KEY: holding}, {}, view(at=at))[TWO] for at in (1000, 1059, 1060)] == [3, 3, 0]


def test_both_sides_of_a_shift_are_wanted_and_only_the_new_one_after_it() -> None:
    new = replace(request(duration_s=60), traffic=(TrafficShare("web-2", 100),))
    moving = commit(new, request(100).traffic, {"web-2": 4}, 1000)
    assert wanted({KEY: moving}, {}, view((4, 4), 1030)) == {ONE: 4, TWO: 4}
    done = take_on(moving, view((4, 4), 1060))
    assert wanted({KEY: done}, {}, view((4, 4), 1060)) == {TWO: 4}


def test_shift_looks_at_its_own_tenants_revisions_alone() -> None:
    moving = commit(request(0, 100, duration_s=60), request(100).traffic, {}, 1000)
    seen = view((4, 0), 1010)
    other = {**seen.ready, "acme/web-2": 5}
    assert take_on(moving, replace(seen, ready=other)).stalled


class Unwalked(dict[str, Any]):
    """A mapping that tells of what it is asked for, and breaks when somebody walks through all of it."""

    def __iter__(self) -> Any:
        raise AssertionError("walked through every service's revisions for one of them")

    keys = items = values = __iter__


def test_look_at_one_rollout_does_not_cost_by_how_many_services_there_are() -> None:
    moving = commit(request(0, 100, duration_s=60), request(100).traffic, {}, 1000)
    seen = view((4, 4), 1060)
    lean = replace(seen, revisions=Unwalked(seen.revisions), ready=Unwalked(seen.ready))
    assert take_on(moving, lean) == take_on(moving, seen)
    assert not take_on(moving, lean).before


def test_old_writer_gives_way_to_the_revision_that_a_rollout_brings() -> None:
    seen = view(volumes=(DATA,))
    both = {**seen.revisions, ONE: revision(1, volumes=(DATA,))}
    found = {ONE: 1, TWO: 1, "shop/other-1": 2}
    new = RolloutRequest("shop", "web", (TrafficShare("web-2", 100),))
    assert give_way(found, {KEY: new}, both) == {ONE: 0, TWO: 1, "shop/other-1": 2}
    # When it has failed, or is done, nobody asks for that any more.
    assert give_way(found, {}, both) == found
    assert give_way(found, {KEY: request(100)}, both) == {**found, TWO: 0}
    assert give_way(found, {KEY: new}, {ONE: both[ONE], TWO: revision(2)}) == found


def test_revision_with_one_writer_has_one_instance_whatever_is_asked_for() -> None:
    seen = view(volumes=(DATA,), min_instances=3)
    assert needed(request(0, 100), in_force(100), seen)[TWO] == 1
    assert needed(request(0, 100, manual_instances=3), in_force(100), seen)[TWO] == 1
    assert needed(request(0, 100, manual_instances=0), in_force(100), seen)[TWO] == 0
