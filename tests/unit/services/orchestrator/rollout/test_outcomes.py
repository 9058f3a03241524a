from __future__ import annotations

import asyncio

import pytest

from runyard.contracts import RolloutOutcome
from services.orchestrator.rollout.ending import RolloutFailed, RolloutSuperseded
from services.orchestrator.rollout.outcomes import KEPT, LONGEST_WAIT_S, OutcomeLog
from services.orchestrator.timing import Timing

from ..test_orchestrator import PORTLESS, rollout
from ..world import FakeClock, World, in_world, quiet


def log(clock: FakeClock) -> OutcomeLog:
    return OutcomeLog("e", Timing(clock, clock.sleep))


def ended(number: int) -> RolloutOutcome:
    return RolloutOutcome(number, "default", "hello", "ready")


def test_outcomes_are_told_in_the_order_in_which_they_came() -> None:
    async def whole() -> None:
        kept = log(FakeClock())
        for number in (2, 1):
            await kept.note(ended(number))
        told = await kept.after(0, 0)
        assert (told.epoch, told.last, [each.rollout for each in told.outcomes]) == ("e", 2, [2, 1])
        assert [each.rollout for each in (await kept.after(1, 9)).outcomes] == [1]

    asyncio.run(whole())


def test_watcher_waits_until_something_ends_or_its_time_is_over() -> None:
    async def whole() -> None:
        clock = FakeClock()
        kept = log(clock)
        watching = asyncio.create_task(kept.after(0, 10))
        await quiet()
        assert not watching.done()
        await kept.note(ended(1))
        assert (await watching).outcomes == (ended(1),)
        waiting = asyncio.create_task(kept.after(1, 600))
        await clock.advance(LONGEST_WAIT_S - 1)
        assert not waiting.done()
        await clock.advance(1)
        assert (await waiting).outcomes == ()

    asyncio.run(whole())


def test_number_of_another_epoch_is_answered_at_once() -> None:
    async def whole() -> None:
        told = await log(FakeClock()).after(7, 30)
        assert (told.epoch, told.last, told.outcomes) == ("e", 0, ())

    asyncio.run(whole())


def test_at_least_two_thousand_are_kept_and_no_more_than_fit() -> None:
    async def whole() -> None:
        kept = log(FakeClock())
        for number in range(KEPT + 5):
            await kept.note(ended(number))
        told = await kept.after(0, 0)
        assert (told.last, len(told.outcomes), told.outcomes[0].rollout) == (KEPT + 5, KEPT, 5)

    asyncio.run(whole())


@in_world
async def test_one_watch_tells_of_superseded_failed_and_ready_rollouts(world: World) -> None:
    for number in (1, 2, 3):
        world.add(f"hello-{number}")
    world.attempts.default = PORTLESS
    first = asyncio.create_task(world.roll_out(rollout(deadline_s=50)))
    await quiet()
    second = asyncio.create_task(world.roll_out(rollout(("hello-2", 100), deadline_s=3)))
    await world.pass_time(8)
    world.attempts.default = ""
    await asyncio.wait_for(world.roll_out(rollout(("hello-3", 100))), 5)
    told = await world.orchestrator.outcomes(0, 0)
    assert [(each.rollout, each.outcome) for each in told.outcomes] == [(1, "superseded"), (2, "failed"), (3, "ready")]
    assert told.outcomes[0].detail == "rollout default/hello: superseded by a newer request"
    assert isinstance(first.exception(), RolloutSuperseded)
    assert isinstance(second.exception(), RolloutFailed)


@in_world
async def test_rollout_of_a_service_that_is_deleted_is_superseded(world: World) -> None:
    world.add()
    world.attempts.default = PORTLESS
    task = asyncio.create_task(world.roll_out(rollout()))
    await quiet()
    await world.orchestrator.delete_service("default", "hello")
    with pytest.raises(RolloutSuperseded):
        await task
    await world.pass_time(5)
    assert world.engine.clones() == []
    assert world.parts.documents.revisions == {}


def test_another_start_is_another_epoch(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def epoch(boot_ms: int) -> str:
        async with World(tmp_path_factory.mktemp("own"), boot_ms=boot_ms) as world:
            return (await world.orchestrator.outcomes(0, 0)).epoch

    assert asyncio.run(epoch(1)) != asyncio.run(epoch(2))
