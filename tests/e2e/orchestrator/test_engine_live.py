"""What no fake can tell of the engine: standard input that ends, of a container and of a command in one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

import aiodocker
import pytest

from runyard.errors import NotFound
from services.orchestrator.engine.docker.client import DockerClient
from tests.harness.waiting import until_async

from .live import IMAGE

pytestmark = pytest.mark.engine
# More than a pipe or a socket takes at once.
LONG = "x" * 900_000


def with_engine(test: Callable[[DockerClient], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def whole() -> None:
            engine = DockerClient(aiodocker.Docker())
            try:
                await test(engine)
            finally:
                await engine.close()

        asyncio.run(whole())

    run.__name__ = test.__name__
    return run


@with_engine
async def test_input_of_a_container_and_of_a_command_comes_whole_and_ends(engine: DockerClient) -> None:
    command = ["sh", "-c", "wc -c; echo ended; exec sleep 100"]
    config = {"Image": IMAGE, "Cmd": command, "OpenStdin": True, "StdinOnce": True, "AttachStdin": True}
    made = await engine.create(f"e2e-{uuid4().hex[:8]}", config)
    try:
        await engine.start(made, LONG)

        async def ended() -> bool:
            return "ended" in await engine.logs(made, 10)

        await until_async(ended)
        assert await engine.logs(made, 10) == (str(len(LONG)), "ended")
        assert await engine.run(made, ("sh", "-c", f"test $(wc -c) = {len(LONG)}"), LONG) == 0
        assert await engine.run(made, ("sh", "-c", "cat > /dev/null; exit 3"), "some") == 3
        assert await engine.run(made, ("true",)) == 0
    finally:
        await engine.remove(made)


@with_engine
async def test_image_is_described_and_one_that_is_not_there_is_not_found(engine: DockerClient) -> None:
    described = await engine.inspect_image(IMAGE)
    assert (await engine.inspect_image(described["Id"]))["Config"]["Cmd"] == ["bash"]
    with pytest.raises(NotFound):
        await engine.inspect_image(f"sha256:{'0' * 64}")


@with_engine
async def test_paused_container_keeps_its_processes_and_does_nothing_until_it_goes_on(engine: DockerClient) -> None:
    command = ["sh", "-c", "while :; do echo tick; sleep 0.05; done"]
    made = await engine.create(f"e2e-{uuid4().hex[:8]}", {"Image": IMAGE, "Cmd": command})
    try:
        await engine.start(made)

        async def ticks(more_than: int = 0) -> bool:
            return len(await engine.logs(made, 1000)) > more_than

        await until_async(ticks)
        await engine.pause(made)
        # Asked for again, both are as they should be.
        await engine.pause(made)
        assert (await engine.inspect(made))["State"]["Status"] == "paused"
        before = len(await engine.logs(made, 1000))
        assert len(await engine.logs(made, 1000)) == before
        await engine.resume(made)
        await engine.resume(made)
        assert (await engine.inspect(made))["State"]["Status"] == "running"

        async def goes_on() -> bool:
            return await ticks(before)

        await until_async(goes_on)
    finally:
        await engine.remove(made)


@with_engine
async def test_container_that_is_gone_can_neither_be_paused_nor_go_on(engine: DockerClient) -> None:
    for verb in (engine.pause, engine.resume):
        with pytest.raises(NotFound):
            await verb("f" * 64)
