"""The logs' part as a process of its own, with the real store: killed at any moment, it has each line once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from runyard.contracts import ContainerOwner, LogEntry, LogPage, decode
from tests.harness.client import ask
from tests.harness.logs import EngineLog, store_program
from tests.harness.orchestrator import FakeOrchestrator, event
from tests.harness.ports import free_port
from tests.harness.waiting import PATIENCE_S, until_async

ROOT = Path(__file__).resolve().parents[4]
WEB, OTHER = "a" * 64, "b" * 64


def owner(tenant: str = "shop", service: str = "web", instance: str = "a1") -> ContainerOwner:
    return ContainerOwner(tenant, service, f"{service}-1", instance, "app")


@dataclass
class Running:
    """The part in a directory, with the engine's and the orchestrator's side played by the test."""

    directory: Path
    orchestrator: FakeOrchestrator
    limits: tuple[int, int] = (1024**2, 1024**3)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0

    def __post_init__(self) -> None:
        self.containers = self.directory / "containers"
        self.containers.mkdir()
        # Another one's, as there always is.
        EngineLog(self.containers, "f" * 64).write("not ours")

    def environment(self) -> dict[str, str]:
        per_second, per_day = self.limits
        return {
            **os.environ,
            "RUNYARD_STACK": "dev",
            "RUNYARD_HTTP_ADDRESS": f"127.0.0.1:{self.port}",
            "RUNYARD_RETENTION_DAYS": "7",
            "RUNYARD_BYTES_PER_SECOND": str(per_second),
            "RUNYARD_BYTES_PER_DAY": str(per_day),
            "RUNYARD_LOGS_DIRECTORY": str(self.directory / "own"),
            "RUNYARD_REGISTRY_DIRECTORY": str(self.directory),
            "RUNYARD_CONTAINERS_DIRECTORY": str(self.containers),
            "RUNYARD_STORE_PROGRAM": store_program(),
        }

    async def start(self, **owners: ContainerOwner) -> None:
        """Start it, and tell it whose containers are."""
        self.lives += 1
        asked = len(self.orchestrator.asked)
        with (self.directory / "journal").open("ab") as journal:
            command = [sys.executable, "-m", "services.logs"]
            # A session of its own: the store goes with it, as everything in a container does.
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(), stdout=journal, stderr=journal, start_new_session=True
            )
        await until_async(lambda: len(self.orchestrator.asked) > asked)
        told = "".join(event("owner", container, each) for container, each in owners.items())
        epoch = f"e{self.lives}-1"
        self.orchestrator.said.put_nowait(
            f"event: reset\ndata: {{}}\n\n{told}id: {epoch}\nevent: synced\ndata: {{}}\n\n"
        )

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    async def asked(self, tenant: str = "shop", service: str = "web", **asked: str) -> tuple[int, str]:
        connector = aiohttp.UnixConnector(str(self.directory / "own" / "logs.sock"))
        query = urlencode({"limit": "1000", **asked})
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://logs/v1/tenants/{tenant}/services/{service}/log?{query}") as answer,
        ):
            return answer.status, await answer.text()

    async def entries(self, tenant: str = "shop", service: str = "web", **asked: str) -> list[LogEntry]:
        try:
            status, text = await self.asked(tenant, service, **asked)
        except aiohttp.ClientError:
            # It is starting.
            return []
        assert status == 200, text
        return list(decode(LogPage, text).entries)

    async def texts(self, tenant: str = "shop", service: str = "web", **asked: str) -> list[str]:
        return [each.text for each in await self.entries(tenant, service, **asked)]

    async def until(self, *texts: str, tenant: str = "shop", **asked: str) -> None:
        """Wait until these are all that there is."""
        found: list[str] = []

        async def there() -> bool:
            found[:] = await self.texts(tenant, **asked)
            return found == list(texts)

        try:
            await until_async(there)
        except AssertionError:
            missing, more = [each for each in texts if each not in found], [*found]
            for each in texts:
                if each in more:
                    more.remove(each)
            raise AssertionError(f"missing {missing}, too many {more}") from None


@asynccontextmanager
async def running(directory: Path, **settings: Any) -> AsyncIterator[Running]:
    async with FakeOrchestrator(directory / "registry.sock").serving() as orchestrator:
        found = Running(directory, orchestrator, **settings)
        try:
            yield found
        finally:
            if found.process is not None and found.process.poll() is None:
                found.kill()


def story(**settings: Any) -> Callable[[Callable[[Running], Awaitable[None]]], Callable[[Path], None]]:
    def decorate(test: Callable[[Running], Awaitable[None]]) -> Callable[[Path], None]:
        @wraps(test)
        def run(tmp_path: Path) -> None:
            async def whole() -> None:
                async with running(tmp_path, **settings) as found:
                    await test(found)

            asyncio.run(whole())

        # pytest reads the signature of what is wrapped.
        del run.__wrapped__  # type: ignore[attr-defined]
        return run

    return decorate


@story()
async def test_lines_of_a_container_that_is_gone_are_found_by_what_they_say(part: Running) -> None:
    log = EngineLog(part.containers, WEB)
    request = "0123456789abcdef0123456789abcdef"
    log.write("begun", f"order 7 failed, request {request}", '{"severity":"error","message":"no stock","order":7}')
    await part.start(**{WEB: owner()})
    await until_async(lambda: asyncio.to_thread(lambda: 'service="web"' in ask(part.port, "/metrics").text))
    log.write("ended")
    log.remove()
    await until_async(lambda: part.texts(grep="ended"))
    assert await part.texts(request=request) == [f"order 7 failed, request {request}"]
    assert await part.texts(grep="order [0-9] f") == [f"order 7 failed, request {request}"]
    (found,) = await part.entries(severity="WARNING")
    assert (found.revision, found.instance, found.container, found.output) == ("web-1", "a1", "app", "stdout")
    assert found.fields == {"severity": "ERROR", "jsonPayload.severity": "error"} | {
        "jsonPayload.message": "no stock",
        "jsonPayload.order": "7",
    }
    assert await part.texts(field="jsonPayload.order=7") == [found.text]
    assert await part.texts(field="jsonPayload.order=8") == []
    assert len(await part.texts()) == 4


@story()
async def test_every_line_is_there_once_whatever_is_killed(part: Running) -> None:
    log, sent = EngineLog(part.containers, WEB), 0
    for life in range(3):
        await part.start(**{WEB: owner()})
        for _ in range(2):
            log.write(*(f"line {number}" for number in range(sent, sent + 40)))
            sent += 40
            last = f"^line {sent - 1}$"
            await until_async(lambda last=last: part.texts(grep=last))  # type: ignore[misc]
        if life == 1:
            # While nobody looks, too.
            assert part.stop() == 0
            log.rotate()
        else:
            part.kill()
        log.write(f"line {sent}")
        sent += 1
    await part.start(**{WEB: owner()})
    await part.until(*(f"line {number}" for number in range(sent)))


@story(limits=(100_000, 1024**3))
async def test_tenant_sees_its_own_whatever_lines_and_questions_say(part: Running) -> None:
    mine, others = EngineLog(part.containers, WEB), EngineLog(part.containers, OTHER)
    mine.write("mine", '{"tenant":"other","service":"web","AccountID":"1","_stream":"{}"}')
    others.write("theirs")
    # More than a hundred thousand bytes a second is somebody else's trouble.
    others.write(*("flood" for _ in range(20_000)))
    await part.start(**{WEB: owner(), OTHER: owner("other", instance="b1")})
    await until_async(lambda: part.texts("other", grep="left out"))
    await until_async(part.texts)
    await until_async(lambda: part.texts("other"))
    assert (await part.texts())[0] == "mine"
    assert len(await part.texts()) == 2
    assert "theirs" not in await part.texts()
    for hostile in ('"', '" or *', "mine\n} or {", "(", "a" * 999, "\\Q", "*) | delete"):
        status, text = await part.asked(grep=hostile)
        assert status in (200, 400), text
        assert "theirs" not in text
    for wrong in ({"tenant": "a b"}, {"service": "web,"}, {"revision": "*"}):
        status, text = await part.asked(**wrong)
        assert (status, "log: " in text) == (400, True)


@story()
async def test_part_ends_when_its_store_does_so_that_the_engine_starts_both(part: Running) -> None:
    await part.start()
    await until_async(lambda: asyncio.to_thread(ask, part.port, "/healthz"))
    assert part.process is not None
    children = Path(f"/proc/{part.process.pid}/task/{part.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert part.process.wait(PATIENCE_S) != 0
    assert "store: ended with code -9" in (part.directory / "journal").read_text()
