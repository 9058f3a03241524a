"""An orchestrator that starts again: it takes over what runs, and probes it before it counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from .test_orchestrator import KEY, rollout, served
from .world import World, container, quiet


def test_restarted_orchestrator_adopts_what_runs_and_makes_nothing_new(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
        calls = len(world.engine.calls)
        async with World(tmp_path, world.engine, world.gateway) as again:
            await quiet()
            assert again.gateway.addresses(KEY) == ("10.130.0.2:8080",)
            assert not {"create", "start", "stop", "remove"} & {verb for verb, _ in again.engine.calls[calls:]}

    asyncio.run(whole())


def test_restarted_orchestrator_keeps_endpoints_until_it_has_probed_them(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
        world.gateway.sent.clear()
        again = World(tmp_path, world.engine, world.gateway)
        again.attempts.default = None  # cannot be tried yet
        async with again:
            await quiet()
            assert world.gateway.sent == []
            await again.pass_time(2.5)
            # Whatever cannot be probed by then is not ready.
            assert world.gateway.addresses(KEY) == ()

    asyncio.run(whole())


def test_restarted_orchestrator_clears_an_instance_whose_making_was_cut_short(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            await served(world)
            world.add("hello-2", container(), container("proxy"))
            await asyncio.wait_for(world.roll_out(rollout(("hello-2", 100))), 5)
        lost = next(each for each in world.engine.clones() if ".proxy." in world.engine.containers[each]["Name"])
        del world.engine.containers[lost]
        async with World(tmp_path, world.engine, world.gateway) as again:
            await again.pass_time(3)
            running = sorted(again.engine.containers[each]["Name"] for each in again.engine.clones("running"))
            assert [name.split(".")[4] for name in running] == ["app", "proxy"]

    asyncio.run(whole())
