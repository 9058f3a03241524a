from __future__ import annotations

import asyncio

import pytest

from services.orchestrator.timing import Timing

from .world import FakeClock, quiet


def test_work_that_ends_in_time_is_true() -> None:
    async def whole() -> None:
        clock = FakeClock()
        assert await Timing(clock, clock.sleep).within(5, asyncio.sleep(0))

    asyncio.run(whole())


def test_work_that_takes_longer_is_given_up_and_cancelled() -> None:
    async def whole() -> None:
        clock, ended = FakeClock(), asyncio.Event()

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        waiting = asyncio.create_task(Timing(clock, clock.sleep).within(5, forever()))
        await clock.advance(4.9)
        assert not waiting.done()
        await clock.advance(0.1)
        await quiet()
        assert await waiting is False
        assert ended.is_set()

    asyncio.run(whole())


def test_error_of_the_work_is_not_swallowed() -> None:
    async def failing() -> None:
        raise ValueError("oops")

    async def whole() -> None:
        clock = FakeClock()
        await Timing(clock, clock.sleep).within(5, failing())

    with pytest.raises(ValueError, match="oops"):
        asyncio.run(whole())
