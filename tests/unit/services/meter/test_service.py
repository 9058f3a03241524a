"""The meter as a process of its own: killed at any moment, it goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness.client import ask
from tests.harness.orchestrator import FakeOrchestrator, whole
from tests.harness.ports import free_port
from tests.harness.waiting import PATIENCE_S, until, until_async

from .story import container, instance, line

ROOT = Path(__file__).resolve().parents[4]
ID = "c0ffee"


@dataclass
class Running:
    """The meter in a directory, with a log, an orchestrator and the kernel's files that a test writes."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "requests.log"

    def environment(self) -> dict[str, str]:
        places = {"METER": "own", "REQUESTS": ".", "REGISTRY": ".", "CGROUP": "cgroup"}
        return {
            **os.environ,
            "RUNYARD_STACK": "dev",
            "RUNYARD_HTTP_ADDRESS": f"127.0.0.1:{self.port}",
            **{f"RUNYARD_{name}_DIRECTORY": str(self.directory / place) for name, place in places.items()},
        }

    def start(self) -> None:
        with (self.directory / "journal").open("ab") as journal:
            command = [sys.executable, "-m", "services.meter"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stdout=journal)

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def counted(self) -> int:
        found = re.findall(r'^runyard_requests_total\{.*service="web".*\} (\S+)$', self.metrics(), re.MULTILINE)
        return sum(int(float(each)) for each in found)

    def metrics(self) -> str:
        return ask(self.port, "/metrics").text

    def use(self, cpu_us: int) -> None:
        place = self.directory / "cgroup" / "docker" / ID
        place.mkdir(parents=True, exist_ok=True)
        (place / "cpu.stat").write_text(f"usage_usec {cpu_us}\n")
        (place / "memory.current").write_text("5000\n")
        (place / "memory.stat").write_text("inactive_file 0\n")

    def write(self, count: int) -> None:
        now = time.time_ns() // 1_000_000
        with self.log.open("ab") as log:
            log.writelines(line(now) + b"\n" for _ in range(count))


@asynccontextmanager
async def metering(directory: Path) -> AsyncIterator[tuple[Running, FakeOrchestrator]]:
    running = Running(directory)
    running.log.touch()
    running.use(1_000_000)
    async with FakeOrchestrator(directory / "registry.sock").serving() as orchestrator:
        started = instance(container(ID, time.time_ns() // 1_000_000))
        orchestrator.said.put_nowait(whole("e-1", started))
        running.start()
        try:
            await until_async(lambda: asyncio.to_thread(ask, running.port, "/healthz"))
            yield running, orchestrator
        finally:
            if running.process is not None and running.process.poll() is None:
                running.process.kill()
                running.process.wait(PATIENCE_S)


def test_requests_are_counted_once_whatever_kills_the_meter(tmp_path: Path) -> None:
    async def story() -> None:
        async with metering(tmp_path) as (running, orchestrator):
            sent = 0
            for number in range(3):
                running.write(500)
                sent += 500
                if number:
                    await asyncio.to_thread(until, lambda: running.counted() > 0)
                running.end(signal.SIGKILL if number < 2 else signal.SIGTERM)
                running.write(7)
                sent += 7
                asked = len(orchestrator.asked)
                running.start()
                # The stream of the one before may take what is said until then.
                await until_async(lambda asked=asked: len(orchestrator.asked) > asked)  # type: ignore[misc]
                orchestrator.said.put_nowait(whole(f"f-{number}", instance(container(ID, 1))))
                await until_async(lambda: asyncio.to_thread(ask, running.port, "/healthz"))
                # It answers when it has read what was written meanwhile, and not before: no count ever falls.
                assert await asyncio.to_thread(running.counted) >= sent - 500
            await asyncio.to_thread(until, lambda: running.counted() >= sent)
            assert await asyncio.to_thread(running.counted) == sent

    asyncio.run(story())


def test_readings_are_the_kernels(tmp_path: Path) -> None:
    async def story() -> None:
        async with metering(tmp_path) as (running, _):
            running.use(7_250_000)
            told = re.compile(r'^runyard_container_cpu_seconds_total\{.*instance="a1".*\} 7\.25$', re.MULTILINE)
            await asyncio.to_thread(until, lambda: told.search(running.metrics()), "the next reading")

    asyncio.run(story())


def test_what_was_logged_before_the_first_start_is_not_of_this_metering(tmp_path: Path) -> None:
    (tmp_path / "requests.log").write_bytes(line(1_795_435_200_000) + b"\n")

    async def story() -> None:
        async with metering(tmp_path) as (running, _):
            running.write(3)
            await asyncio.to_thread(until, lambda: running.counted() >= 3)
            assert await asyncio.to_thread(running.counted) == 3

    asyncio.run(story())


def test_end_is_clean_and_keeps_what_was_counted(tmp_path: Path) -> None:
    async def story() -> None:
        async with metering(tmp_path) as (running, _):
            running.write(2)
            await asyncio.to_thread(until, lambda: running.counted() == 2)
            assert running.end(signal.SIGTERM) == 0
            kept = json.loads((tmp_path / "own" / "checkpoint.json").read_text())
            assert kept["lines"] == {"refused": 0, "taken": 2}

    asyncio.run(story())


@pytest.mark.parametrize("broken", ["checkpoint", "port", "stack"])
def test_meter_that_cannot_start_says_why_and_ends(tmp_path: Path, broken: str) -> None:
    async def story() -> None:
        async with metering(tmp_path) as (running, orchestrator):
            environment = running.environment()
            running.end(signal.SIGTERM)
            with ExitStack() as stack:
                if broken == "checkpoint":
                    (tmp_path / "own" / "checkpoint.json").write_text('{"version":99}')
                elif broken == "port":
                    stack.enter_context(socket.create_server(("127.0.0.1", running.port)))
                    orchestrator.said.put_nowait(whole("g-1"))
                else:
                    environment["RUNYARD_STACK"] = "No"
                command = [sys.executable, "-m", "services.meter"]
                ended = await asyncio.to_thread(
                    lambda: subprocess.run(
                        command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE_S, check=False
                    )
                )
            said = {
                "checkpoint": "remove it to begin a new metering",
                "port": f"listen on 127.0.0.1:{running.port}: ",
                "stack": "RUNYARD_STACK: must be a DNS label",
            }
            assert ended.returncode != 0
            assert said[broken] in ended.stdout.decode()
            assert ended.stderr == b""

    asyncio.run(story())
