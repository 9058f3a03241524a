from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from runyard.contracts import PartStatus
from runyard.errors import Conflict, HostError, HostUnreachable
from services.orchestrator.engine.port import PartState, SeenPart
from services.orchestrator.health.upkeep import GONE, GRACE_S, RESYNC_S, RETRY_S, Upkeep
from services.orchestrator.timing import Timing

from ..world import FakeClock, ListJournal, quiet

PARTS = ("gateway", "orchestrator", "standby")


class FakeParts:
    """An engine with the parts of a platform, which somebody else may stop."""

    def __init__(self) -> None:
        self.parts: dict[str, SeenPart] = {each: SeenPart(f"id-{each}", "running") for each in PARTS}
        self.calls: list[tuple[str, str]] = []
        self.error: HostError | None = None
        self.refusal: HostError | None = None
        self.told: asyncio.Queue[HostError | None] = asyncio.Queue()

    def put(self, part: str, state: PartState, exit_code: int = 0) -> None:
        self.parts[part] = SeenPart(f"id-{part}", state, exit_code)
        self.told.put_nowait(None)

    async def look(self, part: str) -> SeenPart | None:
        if self.error is not None:
            raise self.error
        return self.parts.get(part)

    def _run(self, verb: str, container: str) -> None:
        self.calls.append((verb, container))
        if self.refusal is not None:
            raise self.refusal
        part = container.removeprefix("id-")
        self.parts[part] = SeenPart(container, "running")

    async def start(self, container: str) -> None:
        self._run("start", container)

    async def resume(self, container: str) -> None:
        self._run("resume", container)

    async def kill(self, part: str) -> None:
        raise AssertionError(f"{part} is no leader here")

    async def events(self) -> AsyncIterator[None]:
        while True:
            if (error := await self.told.get()) is not None:
                raise error
            yield


class Scene:
    def __init__(self) -> None:
        self.engine, self.clock, self.journal = FakeParts(), FakeClock(), ListJournal()
        timing = Timing(self.clock, self.clock.sleep)
        self.upkeep = Upkeep(self.engine, PARTS, "orchestrator", timing, self.journal)

    def status(self, part: str) -> PartStatus:
        (found,) = [each for each in self.upkeep.status() if each.name == part]
        return found


def kept(story: Callable[[Scene], Awaitable[None]]) -> Scene:
    async def whole() -> Scene:
        scene = Scene()
        keeping = asyncio.create_task(scene.upkeep.run())
        await quiet()
        try:
            await story(scene)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        return scene

    return asyncio.run(whole())


def test_parts_that_run_are_told_and_left_alone_and_the_leader_is_not_among_them() -> None:
    async def story(scene: Scene) -> None:
        await scene.clock.advance(3 * RESYNC_S)

    scene = kept(story)
    assert scene.upkeep.status() == (PartStatus("gateway", "running"), PartStatus("standby", "running"))
    assert (scene.engine.calls, scene.journal.entries) == ([], [])


@pytest.mark.parametrize(
    ("state", "verb", "was"),
    [("stopped", "start", "stopped with code 137"), ("paused", "resume", "paused")],
)
def test_part_that_was_stopped_is_started_again_after_a_moment_and_told(state: PartState, verb: str, was: str) -> None:
    async def story(scene: Scene) -> None:
        scene.engine.put("gateway", state, 137)
        await quiet()
        assert scene.engine.calls == []
        await scene.clock.advance(GRACE_S)

    scene = kept(story)
    assert scene.engine.calls == [(verb, "id-gateway")]
    assert scene.status("gateway") == PartStatus("gateway", "running", 1, f"it was {was}")
    assert scene.journal.entries == [("part started again", {"level": "warning", "part": "gateway", "was": was})]


def test_part_that_is_restarted_by_hand_is_left_to_who_does_it() -> None:
    async def story(scene: Scene) -> None:
        scene.engine.put("gateway", "stopped")
        await scene.clock.advance(GRACE_S / 2)
        scene.engine.put("gateway", "running")
        await scene.clock.advance(2 * RESYNC_S)

    assert kept(story).engine.calls == []


@pytest.mark.parametrize("state", ["between", None])
def test_part_that_an_update_replaces_is_left_alone(state: PartState | None) -> None:
    async def story(scene: Scene) -> None:
        if state is None:
            del scene.engine.parts["gateway"]
            scene.engine.told.put_nowait(None)
        else:
            scene.engine.put("gateway", state)
        await scene.clock.advance(2 * RESYNC_S)

    scene = kept(story)
    assert scene.engine.calls == []
    expected = PartStatus("gateway", "gone", 0, GONE) if state is None else PartStatus("gateway", "between")
    assert scene.status("gateway") == expected


def test_part_whose_event_was_lost_is_seen_in_time() -> None:
    async def story(scene: Scene) -> None:
        scene.engine.parts["standby"] = SeenPart("id-standby", "stopped")
        await scene.clock.advance(RESYNC_S + GRACE_S)

    assert kept(story).engine.calls == [("start", "id-standby")]


def test_part_that_cannot_be_started_is_said_once_and_tried_again_each_few_seconds() -> None:
    async def story(scene: Scene) -> None:
        scene.engine.refusal = Conflict("port is taken")
        scene.engine.put("gateway", "stopped", 1)
        await scene.clock.advance(GRACE_S + 2 * RESYNC_S)
        assert scene.status("gateway") == PartStatus("gateway", "stopped", 0, "port is taken")
        scene.engine.refusal = None
        await scene.clock.advance(RESYNC_S)

    scene = kept(story)
    assert scene.engine.calls == [("start", "id-gateway")] * 4
    assert scene.journal.events() == ["part is down", "part started again"]
    assert scene.status("gateway").restarts == 1


def test_engine_that_is_away_says_nothing_of_parts_and_is_asked_again_soon() -> None:
    async def story(scene: Scene) -> None:
        scene.engine.error = HostUnreachable("connection refused")
        scene.engine.told.put_nowait(HostUnreachable("connection refused"))
        await scene.clock.advance(2 * RETRY_S)
        assert scene.status("gateway") == PartStatus("gateway", "running")
        scene.engine.error = None
        scene.engine.parts["gateway"] = SeenPart("id-gateway", "stopped")
        await scene.clock.advance(RETRY_S + GRACE_S)

    assert kept(story).engine.calls == [("start", "id-gateway")]
