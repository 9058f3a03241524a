from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from runyard.errors import HostError
from services.orchestrator.succession.leadership import lead
from services.orchestrator.succession.lease import Lease
from services.orchestrator.timing import Timing

from ..world import ListJournal

TIMING = Timing(time.monotonic, asyncio.sleep)


async def fence(leader: str) -> None:
    raise AssertionError(f"{leader} lives")


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_second_one_leads_when_the_first_one_has_ended_and_its_work_with_it(tmp_path: Path) -> None:
    order: list[str] = []

    async def first(leading: asyncio.Event) -> None:
        async with lead(tmp_path, "orchestrator", fence, TIMING, ListJournal()) as leadership:
            leading.set()
            try:
                await leadership.during(for_ever())
            finally:
                order.append("first ended")

    async def second(journal: ListJournal) -> None:
        async def work() -> None:
            order.append("second led")

        async with lead(tmp_path, "standby", fence, TIMING, journal) as leadership:
            await leadership.during(work())

    async def whole() -> None:
        leading, journal = asyncio.Event(), ListJournal()
        one = asyncio.create_task(first(leading))
        await leading.wait()
        two = asyncio.create_task(second(journal))
        async with asyncio.timeout(10):
            while not journal.events():
                await asyncio.sleep(0)
            one.cancel()
            await two
        await asyncio.gather(one, return_exceptions=True)
        assert journal.events() == ["standing by", "taking over"]

    asyncio.run(whole())
    assert order == ["first ended", "second led"]


def test_leader_whose_lease_was_removed_ends(tmp_path: Path) -> None:
    async def whole() -> None:
        async with lead(tmp_path / "own", "orchestrator", fence, TIMING, ListJournal()) as leadership:
            (tmp_path / "own" / "lease").unlink()
            await leadership.during(for_ever())

    with pytest.raises(HostError) as caught:
        asyncio.run(whole())
    assert str(caught.value) == "keep the lease: its file was removed or replaced"


def test_work_that_fails_ends_the_leadership_with_its_error(tmp_path: Path) -> None:
    async def fail() -> None:
        raise HostError("no room")

    async def whole() -> None:
        async with lead(tmp_path, "orchestrator", fence, TIMING, ListJournal()) as leadership:
            await leadership.during(fail())

    with pytest.raises(HostError, match=r"^no room$"):
        asyncio.run(whole())
    after = Lease(tmp_path / "lease")
    assert after.take()
    after.release()
