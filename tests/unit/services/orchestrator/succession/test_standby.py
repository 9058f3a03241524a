from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from runyard.errors import HostUnreachable
from services.orchestrator.succession.lease import Lease
from services.orchestrator.succession.pulse import BEAT_S
from services.orchestrator.succession.standby import MOST_MISSED, StandBy
from services.orchestrator.timing import Timing

from ..world import FakeClock, ListJournal, quiet


class Scene:
    """A leader with a pulse that a test sends by hand, and a stand-by."""

    def __init__(self, directory: Path) -> None:
        self.leader, self.ours = (Lease(directory / "lease", each) for each in ("orchestrator", "standby"))
        self.clock, self.journal = FakeClock(), ListJournal()
        self.killed: list[str] = []
        self.refusal: HostUnreachable | None = None
        self.listeners: list[asyncio.StreamWriter] = []
        self.path = directory / "pulse"
        timing = Timing(self.clock, self.clock.sleep)
        self.standby = StandBy(self.ours, self.path, self.fence, timing, self.journal)
        self.server: asyncio.Server | None = None

    async def fence(self, leader: str) -> None:
        self.killed.append(leader)
        if self.refusal is not None:
            raise self.refusal
        self.leader.release()

    async def open_pulse(self) -> None:
        def heard(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.listeners.append(writer)

        self.server = await asyncio.start_unix_server(heard, self.path)

    async def beat(self) -> None:
        for each in self.listeners:
            each.write(b".")
            await each.drain()
        await settle()


async def settle() -> None:
    """Let the loop take what came over sockets, too: what is sent to one of our own is there at once."""
    await quiet()
    await quiet()


def waited(directory: Path, story: Callable[[Scene, asyncio.Task[None]], Awaitable[None]]) -> Scene:
    async def whole() -> Scene:
        scene = Scene(directory)
        assert scene.leader.take()
        await scene.open_pulse()
        waiting = asyncio.create_task(scene.standby.wait())
        await settle()
        try:
            await story(scene, waiting)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            for each in scene.listeners:
                each.close()
            if scene.server is not None:
                scene.server.close()
        scene.ours.release()
        return scene

    return asyncio.run(whole())


def test_free_lease_is_taken_without_a_word(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    asyncio.run(scene.standby.wait())
    assert scene.journal.events() == []
    scene.ours.release()
    scene.leader.release()


def test_leader_whose_pulse_beats_is_left_alone(tmp_path: Path) -> None:
    async def story(scene: Scene, waiting: asyncio.Task[None]) -> None:
        for _ in range(3 * MOST_MISSED):
            await scene.beat()
            await scene.clock.advance(2 * BEAT_S)
            await settle()
        assert not waiting.done()

    scene = waited(tmp_path, story)
    assert scene.killed == []
    assert scene.journal.entries == [("standing by", {"leader": "orchestrator"})]


def test_leader_that_is_silent_for_a_second_is_killed_before_its_lease_is_taken(tmp_path: Path) -> None:
    async def story(scene: Scene, waiting: asyncio.Task[None]) -> None:
        await scene.beat()
        await scene.clock.advance((MOST_MISSED - 1) * BEAT_S)
        await settle()
        assert scene.killed == []
        await scene.clock.advance(2 * BEAT_S)
        await settle()
        assert (scene.killed, waiting.done()) == (["orchestrator"], True)

    assert waited(tmp_path, story).journal.events() == ["standing by", "leader lost", "taking over"]


def test_leader_that_cannot_be_killed_keeps_the_lease_and_it_is_said_once(tmp_path: Path) -> None:
    async def story(scene: Scene, waiting: asyncio.Task[None]) -> None:
        scene.refusal = HostUnreachable("no answer")
        for _ in range(4 * MOST_MISSED):
            await scene.clock.advance(BEAT_S)
            await settle()
        assert len(scene.killed) > 1
        assert not waiting.done()

    assert waited(tmp_path, story).journal.entries[1:] == [
        (
            "leader lost",
            {"level": "warning", "error": "leader orchestrator is silent and could not be killed: no answer"},
        )
    ]


def test_leader_that_ends_is_followed_at_once_and_not_killed(tmp_path: Path) -> None:
    async def story(scene: Scene, waiting: asyncio.Task[None]) -> None:
        await scene.beat()
        scene.leader.release()
        for each in scene.listeners:
            each.close()
        await settle()
        await scene.clock.advance(BEAT_S / 2)
        await settle()
        assert waiting.done()

    assert waited(tmp_path, story).killed == []


def test_leader_without_a_pulse_counts_as_silent(tmp_path: Path) -> None:
    async def story(scene: Scene, waiting: asyncio.Task[None]) -> None:
        assert scene.server is not None
        scene.server.close()
        scene.path.unlink()
        for each in scene.listeners:
            each.close()
        await settle()
        for _ in range(2 * MOST_MISSED):
            await scene.clock.advance(BEAT_S)
            await settle()
        assert waiting.done()

    assert waited(tmp_path, story).killed == ["orchestrator"]
