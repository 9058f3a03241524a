"""Rollouts from beginning to end: capacity first, then traffic, then the drain; gradual ones, and those that fail."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from runyard import names
from runyard.contracts import RolloutRequest, RouteRequest, ShiftStatus, TrafficShare
from runyard.errors import Conflict
from services.orchestrator.traffic.commitment import HOLD_S
from services.orchestrator.traffic.shift import percents

from .test_orchestrator import failing, rollout
from .world import World, in_world, quiet

REFUSED = "tcp :8080: connection refused"


def template(world: World, revision: str, instances: int = 0, **fields: Any) -> None:
    world.add(revision, min_instances=instances, **fields)


async def rolled_out(world: World, request: RolloutRequest) -> None:
    await asyncio.wait_for(world.roll_out(request), 5)


def running(world: World, revision: str) -> int:
    labels = (world.engine.containers[each]["Config"]["Labels"] for each in world.engine.clones("running"))
    return sum(each[names.REVISION] == revision for each in labels)


def shares(world: World) -> dict[str, int]:
    return {
        name: share for name, share in percents(world.gateway.last.services["default/hello"].traffic).items() if share
    }


@in_world
async def test_new_revision_has_the_old_ones_capacity_before_any_traffic_moves_and_settles_later(world: World) -> None:
    template(world, "hello-1", 3)
    await rolled_out(world, rollout())
    template(world, "hello-2")
    seen = len(world.gateway.sent)
    await rolled_out(world, rollout(("hello-2", 100)))
    moved = next(
        each for each in world.gateway.sent[seen:] if each.services["default/hello"].traffic[0].revision == "hello-2"
    )
    assert [len(moved.endpoints[f"default/hello-{number}"].addresses) for number in (1, 2)] == [3, 3]
    await world.pass_time(8)
    assert (running(world, "hello-1"), running(world, "hello-2")) == (0, 3)
    (status,) = world.orchestrator.status().revisions
    assert (status.desired, status.ready, status.held_s) == (3, 3, HOLD_S - 8)
    # Nobody calls it, and so it sleeps once a whole window was seen and what it took over is held no longer.
    await world.pass_time(HOLD_S + 10)
    assert running(world, "hello-2") == 0
    assert world.orchestrator.status().revisions[0].held_s == 0


@in_world
async def test_capacity_to_take_over_is_that_of_now_and_not_the_minimum(world: World) -> None:
    template(world, "hello-1", 3)
    await rolled_out(world, rollout())
    # One of three does not come back: it is not there to be matched.
    world.attempts.default = REFUSED
    world.engine.die(world.engine.clones()[0], 1)
    await world.pass_time(0.5)
    world.attempts.default = ""
    world.attempts.answers = dict.fromkeys(world.engine.clones()[2:], REFUSED)
    template(world, "hello-2")
    await rolled_out(world, rollout(("hello-2", 100)))
    assert len(world.gateway.addresses("default/hello-2")) == 2


@in_world
async def test_share_of_the_traffic_needs_that_share_of_the_capacity(world: World) -> None:
    template(world, "hello-1", 4)
    template(world, "hello-2")
    await rolled_out(world, rollout())
    await rolled_out(world, rollout(("hello-1", 75), ("hello-2", 25)))
    assert running(world, "hello-2") == 1
    await rolled_out(world, rollout(("hello-1", 40), ("hello-2", 60)))
    assert running(world, "hello-2") == 3


@in_world
async def test_capacity_to_take_over_ends_at_the_new_revisions_maximum(world: World) -> None:
    template(world, "hello-1", 3)
    await rolled_out(world, rollout())
    template(world, "hello-2", max_instances=2)
    await rolled_out(world, rollout(("hello-2", 100)))
    assert running(world, "hello-2") == 2


@in_world
async def test_minimum_of_the_service_takes_effect_at_once_upward_and_after_a_window_downward(world: World) -> None:
    template(world, "hello-1")
    for count in (1, 3):
        await rolled_out(world, rollout(min_instances=count))
        await world.pass_time(1)
        assert running(world, "hello-1") == count
    await rolled_out(world, rollout(min_instances=2))
    await world.pass_time(40)
    assert running(world, "hello-1") == 3
    await world.pass_time(30)
    assert running(world, "hello-1") == 2


@in_world
async def test_count_by_hand_takes_effect_at_once_in_both_directions(world: World) -> None:
    template(world, "hello-1")
    for count in (3, 1, 0, 2):
        await rolled_out(world, rollout(manual_instances=count))
        await world.pass_time(4)
        assert running(world, "hello-1") == count


@in_world
async def test_service_is_scaled_by_hand_from_what_its_load_asked_for(world: World) -> None:
    template(world, "hello-1")
    await rolled_out(world, rollout())
    await rolled_out(world, rollout(manual_instances=4))
    assert running(world, "hello-1") == 4


@in_world
async def test_service_scaled_to_zero_by_hand_is_stopped_at_the_gateway_and_comes_back(world: World) -> None:
    template(world, "hello-1")
    await rolled_out(world, rollout())
    await rolled_out(world, rollout(manual_instances=0))
    await world.pass_time(4)
    assert running(world, "hello-1") == 0
    assert world.gateway.last.services["default/hello"].stopped
    await rolled_out(world, rollout(manual_instances=2))
    assert running(world, "hello-1") == 2
    assert not world.gateway.last.services["default/hello"].stopped


@in_world
async def test_old_instance_drains_as_long_as_its_requests_may_take_and_is_only_then_stopped(world: World) -> None:
    template(world, "hello-1")
    await world.roll_out(rollout(), RouteRequest("default", "hello", (), timeout_s=100))
    old = world.engine.clones()[0]
    world.gateway.flying["10.130.0.2"] = 1
    template(world, "hello-2")
    await rolled_out(world, rollout(("hello-2", 100)))
    await world.pass_time(90)
    assert world.gateway.addresses("default/hello-1") == ()
    assert ("stop", old) not in world.engine.calls
    world.gateway.flying.clear()
    await world.pass_time(0.1)
    assert ("stop", old) in world.engine.calls


@in_world
async def test_drain_under_way_ends_with_the_grace_when_the_service_is_removed(world: World) -> None:
    template(world, "hello-1")
    await world.roll_out(rollout(), RouteRequest("default", "hello", (), timeout_s=3600))
    world.gateway.flying["10.130.0.2"] = 1
    template(world, "hello-2")
    await rolled_out(world, rollout(("hello-2", 100)))
    await world.pass_time(20)
    task = asyncio.create_task(world.orchestrator.delete_service("default", "hello"))
    await world.pass_time(6)
    assert task.done()
    assert world.engine.clones() == []


@in_world
async def test_gradual_rollout_answers_when_it_has_begun_and_moves_on_with_time(world: World) -> None:
    template(world, "hello-1", 2)
    await rolled_out(world, rollout())
    template(world, "hello-2")
    await rolled_out(world, rollout(("hello-2", 100), duration_s=99))
    assert shares(world) == {"hello-1": 99, "hello-2": 1}
    await world.pass_time(49.5)
    assert shares(world) == {"hello-1": 50, "hello-2": 50}
    (service,) = world.orchestrator.status().services
    assert service.shift == ShiftStatus((TrafficShare("hello-2", 100),), 50)
    assert (running(world, "hello-1"), running(world, "hello-2")) == (2, 2)
    await world.pass_time(49.5)
    assert shares(world) == {"hello-2": 100}
    await world.pass_time(4)
    assert (running(world, "hello-1"), running(world, "hello-2")) == (0, 2)
    assert world.orchestrator.status().services[0].shift is None


@in_world
async def test_gradual_rollout_gives_traffic_back_when_the_new_revision_dies_and_begins_again(world: World) -> None:
    template(world, "hello-1")
    await rolled_out(world, rollout())
    template(world, "hello-2")
    await rolled_out(world, rollout(("hello-2", 100), duration_s=99))
    await world.pass_time(30)
    world.attempts.answers[world.engine.clones()[-1]] = ""
    world.attempts.default = REFUSED
    world.engine.die(world.engine.clones()[-1], 1)
    await world.pass_time(1)
    assert shares(world) == {"hello-1": 100}
    assert world.orchestrator.status().services[0].shift == ShiftStatus((TrafficShare("hello-2", 100),), 99, True)
    world.attempts.default = ""
    await world.pass_time(2)
    assert shares(world) in ({"hello-1": 99, "hello-2": 1}, {"hello-1": 98, "hello-2": 2})


@in_world
async def test_newer_rollout_goes_on_from_the_shares_in_force_and_back_at_once(world: World) -> None:
    for number in (1, 2, 3):
        template(world, f"hello-{number}")
    await rolled_out(world, rollout())
    await rolled_out(world, rollout(("hello-2", 100), duration_s=99))
    await world.pass_time(49.5)
    await rolled_out(world, rollout(("hello-3", 100), duration_s=99))
    assert shares(world) == {"hello-1": 50, "hello-2": 49, "hello-3": 1}
    await rolled_out(world, rollout(("hello-1", 100)))
    assert shares(world) == {"hello-1": 100}
    await world.pass_time(4)
    assert (running(world, "hello-2"), running(world, "hello-3")) == (0, 0)


@in_world
async def test_gradual_rollout_moves_at_once_where_nothing_serves(world: World) -> None:
    template(world, "hello-1")
    await rolled_out(world, rollout())
    world.attempts.default = REFUSED
    world.engine.die(world.engine.clones()[0], 1)
    await world.pass_time(0.5)
    dead = world.engine.clones()
    world.attempts.answers, world.attempts.default = dict.fromkeys(dead, REFUSED), ""
    template(world, "hello-2")
    await rolled_out(world, rollout(("hello-2", 100), duration_s=99))
    assert shares(world) == {"hello-2": 100}


def test_gradual_rollout_goes_on_where_it_was_after_the_orchestrator_was_killed(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            template(world, "hello-1", 2)
            await rolled_out(world, rollout())
            template(world, "hello-2")
            await rolled_out(world, rollout(("hello-2", 100), duration_s=99))
            await world.pass_time(20)
        async with World(tmp_path, world.engine, world.gateway) as again:
            again.clock.now = world.clock.now + 10.5
            again.orchestrator.status()
            await again.pass_time(3)
            assert shares(again) == {"hello-1": 66, "hello-2": 34}
            assert (running(again, "hello-1"), running(again, "hello-2")) == (2, 2)

    asyncio.run(whole())


@in_world
async def test_failed_instances_are_gone_when_the_rollout_answers(world: World) -> None:
    template(world, "hello-1", 2)
    await rolled_out(world, rollout())
    template(world, "hello-2")
    world.attempts.default = REFUSED
    error = await failing(world, world.roll_out(rollout(("hello-2", 100), deadline_s=5)))
    assert str(error) == f"rollout default/hello: revision hello-2: not ready in 5 s: startup probe {REFUSED}"
    assert (running(world, "hello-1"), len(world.engine.clones())) == (2, 2)
    assert shares(world) == {"hello-1": 100}


@in_world
async def test_failed_rollout_whose_instances_do_not_go_names_them(world: World) -> None:
    template(world, "hello-1")
    world.attempts.default = REFUSED
    task = asyncio.create_task(world.roll_out(rollout(deadline_s=5)))
    await world.pass_time(4)
    world.engine.errors["remove"] = Conflict("busy")
    error = await failing(world, _result(task), 60)
    assert str(error).endswith(f"{REFUSED}; its instances are still being removed: 101")
    world.engine.errors.clear()
    await world.pass_time(3)
    await quiet()
    assert world.engine.clones() == []


async def _result(task: asyncio.Task[None]) -> None:
    await task
