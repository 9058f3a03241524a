from __future__ import annotations

from dataclasses import replace

from runyard.contracts import RolloutRequest, TrafficShare
from services.orchestrator.traffic.commitment import (
    HOLD_S,
    Commitment,
    HeldCapacity,
    advance,
    commit,
    due_in_s,
    held_counts,
    remaining_hold_s,
    remaining_shift_s,
    shares_to_serve,
    traffic_in_force,
)
from services.orchestrator.traffic.shift import percents

OLD, NEW = (TrafficShare("web-1", 100),), (TrafficShare("web-2", 100),)
SLOW = RolloutRequest("shop", "web", NEW, duration_s=99)
AT_ONCE = replace(SLOW, duration_s=0)
BOTH = {"web-1", "web-2"}
READY = {"web-1": 3, "web-2": 3}


def shifting() -> Commitment:
    return commit(SLOW, OLD, {"web-1": 3, "web-2": 3}, 1000)


def test_rollout_without_duration_moves_all_at_once() -> None:
    commitment = commit(AT_ONCE, OLD, {}, 1000)
    assert (commitment.before, traffic_in_force(commitment, 1000)) == ((), NEW)


def test_rollout_with_a_duration_begins_with_one_percent_and_ends_with_all() -> None:
    found = [percents(traffic_in_force(shifting(), at)).get("web-2", 0) for at in (1000, 1010, 1098, 1099)]
    assert found == [1, 11, 99, 100]


def test_request_that_moves_nothing_begins_no_shift() -> None:
    assert commit(SLOW, NEW, {}, 1000).before == ()
    assert commit(SLOW, (), {}, 1000).before == ()


def test_shift_ends_at_its_time_and_keeps_the_new_sides_capacity_for_a_while() -> None:
    moving = shifting()
    assert advance(moving, READY, BOTH, 1098) is moving
    done = advance(moving, READY, BOTH, 1099)
    assert (done.before, done.since_unix_s, done.held) == ((), 1099, (HeldCapacity("web-2", 3),))
    assert held_counts(done, 1099 + HOLD_S - 1) == {"web-2": 3}
    assert held_counts(done, 1099 + HOLD_S) == {}
    assert advance(done, {}, BOTH, 2000) is done


def test_new_revision_without_instances_gives_the_traffic_back_and_begins_again_when_it_has_some() -> None:
    stalled = advance(shifting(), {"web-1": 3}, BOTH, 1050)
    assert (stalled.stalled, percents(traffic_in_force(stalled, 5000))) == (True, {"web-2": 0, "web-1": 100})
    assert advance(stalled, {"web-1": 3}, BOTH, 1060) is stalled
    again = advance(stalled, READY, BOTH, 1070)
    assert (again.stalled, percents(traffic_in_force(again, 1070))) == (False, {"web-2": 1, "web-1": 99})


def test_new_revision_that_is_lost_at_the_end_does_not_get_all_the_traffic() -> None:
    assert advance(shifting(), {"web-1": 3}, BOTH, 1099).stalled


def test_shift_goes_on_while_neither_side_has_instances_and_ends_only_with_the_new_one() -> None:
    moving = shifting()
    assert advance(moving, {}, BOTH, 1050) is moving
    assert advance(moving, {}, BOTH, 1099) is moving
    assert due_in_s(moving, 1099) is None
    assert advance(moving, {"web-2": 1}, BOTH, 1100).before == ()
    stalled = replace(moving, stalled=True)
    assert advance(stalled, {}, BOTH, 1050) is stalled


def test_old_revision_that_cannot_be_made_any_more_ends_the_shift() -> None:
    done = advance(shifting(), READY, {"web-2"}, 1010)
    assert traffic_in_force(done, 1010) == NEW


def test_newer_rollout_begins_with_the_shares_in_force() -> None:
    third = (TrafficShare("web-3", 100),)
    now = traffic_in_force(shifting(), 1049)
    newer = commit(replace(SLOW, traffic=third), now, {}, 1049)
    assert percents(now) == {"web-2": 50, "web-1": 50}
    assert percents(traffic_in_force(newer, 1049)) == {"web-3": 1, "web-2": 49, "web-1": 50}
    assert shares_to_serve(newer) == {"web-3": 100, "web-2": 50, "web-1": 50}


def test_rollout_at_once_holds_only_what_has_traffic() -> None:
    commitment = commit(AT_ONCE, OLD, {"web-1": 3, "web-2": 3}, 1000)
    assert commitment.held == (HeldCapacity("web-2", 3),)
    assert shares_to_serve(commitment) == {"web-2": 100}


def test_capacity_is_held_all_through_the_shift_and_after_it() -> None:
    assert remaining_hold_s(shifting(), 1000) == 99 + HOLD_S
    assert held_counts(shifting(), 1098) == {"web-1": 3, "web-2": 3}
    assert remaining_hold_s(commit(AT_ONCE, OLD, {}, 1000), 1000) == 0


def test_time_left_stands_still_while_the_shift_is_stalled() -> None:
    stalled = replace(shifting(), stalled=True)
    assert (remaining_shift_s(shifting(), 1009), remaining_shift_s(stalled, 1009)) == (90, 99)
    assert remaining_shift_s(commit(AT_ONCE, OLD, {}, 1000), 1000) == 0


def test_next_look_is_at_the_next_step_then_at_the_end_of_the_hold() -> None:
    done = advance(shifting(), READY, BOTH, 1099)
    assert due_in_s(shifting(), 1000.25) == 0.75
    assert due_in_s(done, 1100) == HOLD_S - 1
    assert due_in_s(done, 1099 + HOLD_S) is None
    assert due_in_s(replace(shifting(), stalled=True), 1000) is None


def test_clock_that_was_set_back_makes_the_shift_longer_and_undoes_nothing() -> None:
    assert percents(traffic_in_force(shifting(), 900)) == {"web-2": 1, "web-1": 99}
    assert remaining_shift_s(shifting(), 900) == 99
