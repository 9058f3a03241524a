from __future__ import annotations

import asyncio
from pathlib import Path

from services.orchestrator.store.lease import RETRY_S, Lease

from ..world import FakeClock


def test_lease_has_one_holder(tmp_path: Path) -> None:
    first, second = Lease(tmp_path / "lease"), Lease(tmp_path / "lease")
    assert (first.take(), second.take()) == (True, False)
    first.release()
    assert second.take()
    second.release()


def test_free_lease_is_taken_without_a_word(tmp_path: Path) -> None:
    lease, said = Lease(tmp_path / "lease"), list[str]()
    asyncio.run(lease.wait(FakeClock().sleep, lambda: said.append("standing by")))
    assert said == []
    lease.release()


def test_stand_by_says_so_once_and_takes_over_when_the_holder_is_gone(tmp_path: Path) -> None:
    async def whole() -> None:
        holder, other, clock = Lease(tmp_path / "lease"), Lease(tmp_path / "lease"), FakeClock()
        holder.take()
        said: list[str] = []
        waiting = asyncio.create_task(other.wait(clock.sleep, lambda: said.append("standing by")))
        await clock.advance(10 * RETRY_S)
        assert (said, waiting.done()) == (["standing by"], False)
        holder.release()
        await clock.advance(RETRY_S)
        assert waiting.done()
        other.release()

    asyncio.run(whole())
