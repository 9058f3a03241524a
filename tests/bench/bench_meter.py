"""Benchmark of the meter: lines of the request log a second, and what a hundred containers cost it.

Run with `python -m tests.bench bench_meter`. Lines are taken in as from the gateway, by one process, and the time is
that of its processor, so a busy machine slows it less. The containers are directories of the kernel's files, written
for it, and the meter is a process of its own that reads them every five seconds; what it uses is the kernel's figure.
The targets are 20,000 lines a second on one core, and 1 % of a core and 80 MiB at a hundred containers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.unit.services.meter.orchestrator import FakeOrchestrator, whole

from runyard.contracts import InstanceStatus
from services.meter.account import Account, first_checkpoint
from services.meter.tail import Tail, TailState
from tests.bench.table import conditions, render, spread
from tests.harness.client import ask
from tests.harness.ports import free_port
from tests.harness.waiting import until, wait_until
from tests.unit.services.meter.story import container, line

SERVICES = 20
STATISTICS = "".join(f"key_{number} {number * 4096}\n" for number in range(38)) + "inactive_file 4096\n"


def write_log(directory: Path, count: int) -> None:
    """Write lines of twenty services with forty instances, a hundred milliseconds each."""
    drawn, now = random.Random(1), time.time_ns() // 1_000_000
    with (directory / "requests.log").open("wb") as log:
        for number in range(count):
            service = drawn.randrange(SERVICES)
            fields = {
                "service": f"web-{service}",
                "revision": f"web-{service}-1",
                "instance": f"10.0.{service}.{drawn.randrange(2) + 2}:8080",
                "duration_s": drawn.randrange(200) / 1000,
                "status": 503 if number % 97 == 0 else 200,
            }
            log.write(line(now + number // 10, **fields) + b"\n")


def instances(count: int, started_ms: int) -> list[InstanceStatus]:
    """Make instances of twenty services, one container each."""
    return [
        InstanceStatus(
            "shop", f"web-{number % SERVICES}", f"web-{number % SERVICES}-1", f"a{number}", "ready",
            f"10.0.{number % SERVICES}.{number // SERVICES + 2}", containers=(container(f"c{number}", started_ms),),
        )
        for number in range(count)
    ]  # fmt: skip


def lines_a_second(count: int) -> float:
    """Take in a log of so many lines, and give lines for each second of processor time."""
    with tempfile.TemporaryDirectory() as directory:
        write_log(Path(directory), count)
        now = time.time_ns() // 1_000_000
        account, tail = Account(first_checkpoint(now)), Tail(Path(directory), TailState())
        account.follow(instances(2 * SERVICES, now), now)
        begun = time.process_time()
        for piece in tail.pieces():
            account.take(piece, now)
        used = time.process_time() - begun
        assert account.taken == count
        tail.close()
    return count / used


def write_group(root: Path, name: str) -> None:
    """Write what the kernel tells of a container, with control groups of version 2."""
    place = root / "docker" / name
    place.mkdir(parents=True)
    for file, text in {
        "cpu.stat": "usage_usec 5000000\nnr_periods 10\nnr_throttled 1\nthrottled_usec 5\n",
        "memory.current": "50000000\n",
        "memory.peak": "60000000\n",
        "memory.stat": STATISTICS,
        "memory.events": "oom_kill 0\n",
        "pids.current": "5\n",
        "io.stat": "8:0 rbytes=1 wbytes=2 rios=1 wios=1\n",
        "cgroup.events": "populated 1\nfrozen 0\n",
    }.items():
        (place / file).write_text(text)


async def cost(containers: int, seconds: float) -> tuple[float, float]:
    """Run the meter beside so many containers; give its share of a core in percent, and its memory in MiB."""
    with tempfile.TemporaryDirectory() as name:
        directory, port = Path(name), free_port()
        (directory / "requests.log").touch()
        for number in range(containers):
            write_group(directory / "cgroup", f"c{number}")
        environment = {
            **os.environ, "RUNYARD_STACK": "dev", "RUNYARD_HTTP_ADDRESS": f"127.0.0.1:{port}",
            "RUNYARD_METER_DIRECTORY": str(directory / "own"), "RUNYARD_REQUESTS_DIRECTORY": name,
            "RUNYARD_REGISTRY_DIRECTORY": name, "RUNYARD_CGROUP_DIRECTORY": str(directory / "cgroup"),
        }  # fmt: skip
        async with FakeOrchestrator(directory / "registry.sock").serving() as orchestrator:
            orchestrator.said.put_nowait(whole("e-1", *instances(containers, time.time_ns() // 1_000_000)))
            process = subprocess.Popen(
                [sys.executable, "-m", "services.meter"], env=environment, stdout=subprocess.DEVNULL
            )
            try:
                await asyncio.to_thread(until, lambda: ask(port, "/healthz").status == 200, "the meter is ready")
                before, begun = processor_s(process.pid), time.monotonic()
                while time.monotonic() < begun + seconds:
                    # As often as Prometheus asks.
                    await asyncio.to_thread(ask, port, "/metrics")
                    await asyncio.to_thread(wait_until, time.monotonic() + min(15.0, seconds))
                used = processor_s(process.pid) - before
                return 100 * used / (time.monotonic() - begun), resident_mib(process.pid)
            finally:
                process.kill()
                process.wait()


def processor_s(pid: int) -> float:
    """Give the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Give the memory that a process has in use."""
    for each in Path(f"/proc/{pid}/status").read_text().splitlines():
        if each.startswith("VmRSS:"):
            return int(each.split()[1]) / 1024
    raise ValueError(f"process {pid}: its status has no VmRSS")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="What the meter takes.")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--containers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    rates = [lines_a_second(given.lines) for _ in range(given.rounds)]
    share, resident = asyncio.run(cost(given.containers, given.seconds))
    print(conditions({"python": sys.version.split()[0]}))
    rows = [
        ("what", "measured", "target"),
        ("lines a second of processor time", spread(rates, ",.0f"), "20,000"),
        (f"share of a core at {given.containers} containers, with scrapes", f"{share:.2f} %", "1 %"),
        (f"memory at {given.containers} containers", f"{resident:.0f} MiB", "80 MiB"),
    ]
    print(render(rows))
    print(f"median {statistics.median(rates):,.0f} lines/s")


if __name__ == "__main__":
    main()
