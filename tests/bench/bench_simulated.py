"""Benchmark of the simulation: what it foretells of a trace beside what a stack does under the same requests.

Four traces of a minute, each sent to a service of its own whose instances take one request at once and that may sleep:
the real gateway, orchestrator and engine. While it is sent, and until the service sleeps again, instances are counted
ten times a second as the orchestrator lists them, from the first that starts to the last that ends. The same requests,
and the time that a start took in the trace at the median, which is the machine's affair, go through
`runyard.scaling.simulation` with the settings of the same manifest. Instance-seconds are to be within 10 %, cold starts
within 15 % (issue 12).

    toolchain/bootstrap benchmarks -- .venv/bin/python -m tests.bench.bench_simulated
"""

from __future__ import annotations

import argparse
import asyncio
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from runyard.manifest import load
from runyard.plan import plan
from runyard.scaling.settings import SURPLUS_GRACE_S
from runyard.scaling.simulation import Batch, Model, Outcome, Scaled, simulate
from runyard.scaling.trace import Shape, shaped
from tests.bench.stack import bench_stack
from tests.bench.table import conditions, percentile, render
from tests.harness.client import ask
from tests.harness.stack import MINIMUM, Stack, docker, service
from tests.harness.waiting import until

# The shortest window that Knative allows; a trace tells nothing of CPU.
SCALING = {"autoscaling.knative.dev/window": "6s", "autoscaling.knative.dev/metric": "concurrency", MINIMUM: "0"}
LENGTH_S = 60
# Until all of it sleeps: the window, and what may hold back a step down.
REST_S = 20
REQUEST_S = 0.3
# The decision is asked as often, and the requests of a step are sent at once.
STEP_S = 0.2
LOOK_S = 0.1
ALLOWED = {"instance-seconds": 0.10, "cold starts": 0.15}
# The most requests a second, of shapes from none to all of them, with no chance in them.
PEAK_RPS = 10.0
TRACES: Mapping[str, Shape] = {
    "step": Shape(LENGTH_S, lambda at_s: 1.0 if 15 <= at_s < 40 else 0.2),
    "spike": Shape(LENGTH_S, lambda at_s: 1.0 if at_s % 20 < 4 else 0.1),
    "sawtooth": Shape(LENGTH_S, lambda at_s: 0.3 + 0.7 * (at_s % 15) / 15),
    # Two seconds of every fifteen, so that it sleeps between.
    "idle": Shape(LENGTH_S, lambda at_s: 0.3 if at_s % 15 < 2 else 0.0),
}


@dataclass
class Live:
    """What a stack did under a trace; `ready` has the ready instances by the wall clock."""

    instance_s: float = 0.0
    cold_starts: int = 0
    peak: int = 0
    took_ms: list[float] = field(default_factory=list)
    failed: int = 0
    ready: list[tuple[float, int]] = field(default_factory=list)
    start_s: float = 0.0


class Count:
    """Counts the instances of a service in a thread while the `with` block runs."""

    def __init__(self, port: int, name: str, live: Live) -> None:
        self._port, self._name, self._live = port, name, live
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        before, count = time.monotonic(), 0
        while not self._over.wait(LOOK_S):
            listed = ask(self._port, f"/v1/instances?service=default/{self._name}").json()["instances"]
            now, seen = time.monotonic(), len(listed)
            # As many on average as at both ends.
            self._live.instance_s += (count + seen) / 2 * (now - before)
            self._live.peak = max(self._live.peak, seen)
            self._live.ready.append((time.time(), sum(each["state"] == "ready" for each in listed)))
            before, count = now, seen

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


async def send(port: int, name: str, batches: Sequence[Batch], live: Live) -> None:
    """Send every request at its time, whatever became of those before."""
    url, headers = f"http://127.0.0.1:{port}/sleep?ms={round(REQUEST_S * 1000)}", {"Host": f"{name}.localhost"}
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:

        async def get() -> None:
            began = time.monotonic()
            try:
                async with session.get(url, headers=headers) as answer:
                    await answer.read()
                    live.failed += answer.status != 200
            except (aiohttp.ClientError, TimeoutError):
                live.failed += 1
            live.took_ms.append((time.monotonic() - began) * 1000)

        start, sent = time.monotonic(), list[asyncio.Task[None]]()
        for batch in batches:
            await asyncio.sleep(max(0.0, start + batch.at_s - time.monotonic()))
            sent += [asyncio.create_task(get()) for _ in range(batch.requests)]
        await asyncio.gather(*sent)


def asleep(stack: Stack, name: str) -> bool:
    """Tell whether a service has no instance."""
    return ask(stack.orchestrator_port, f"/v1/instances?service=default/{name}").json()["instances"] == []


def decisions(stack: Stack, name: str) -> list[dict[str, Any]]:
    """Give the decisions on a service that are kept, the last 32."""
    listed = ask(stack.orchestrator_port, f"/v1/decisions?service=default/{name}").json()["decisions"]
    return [dict(each) for each in listed]


def start_of(made: Sequence[Mapping[str, Any]], ready: Sequence[tuple[float, int]]) -> float:
    """Give the seconds, at the median, from a decision for more instances until so many were ready."""
    took = []
    for each, until_s in zip(made, [*(after["at_unix_s"] for after in made[1:]), math.inf], strict=True):
        begun_s = each["at_unix_s"]
        reached = (at_s for at_s, count in ready if begun_s <= at_s < until_s and count >= each["count"])
        if each["count"] > each["before"] and (at_s := next(reached, None)) is not None:
            took.append(at_s - begun_s)
    return percentile(took, 50)


def run_live(stack: Stack, name: str, batches: Sequence[Batch]) -> Live:
    """Send a trace to its service from the time that it sleeps until it sleeps again."""
    until(lambda: asleep(stack, name), f"{name} sleeps", 60, 0.1)
    live, before = Live(), max((each["number"] for each in decisions(stack, name)), default=0)
    with Count(stack.orchestrator_port, name, live):
        asyncio.run(send(stack.port, name, batches, live))
        until(lambda: asleep(stack, name), f"{name} sleeps", 60, 0.1)
    made = [each for each in decisions(stack, name) if each["number"] > before]
    live.cold_starts = sum(each["before"] == 0 for each in made)
    live.start_s = start_of(made, live.ready)
    return live


def run_simulated(stack: Stack, name: str, batches: Sequence[Batch], start_s: float) -> Outcome:
    """Run a trace through the simulation with the settings of the service's manifest."""
    planned = next(each for each in plan(load([str(stack.manifests)]).manifests).services if each.name == name)
    settings, ((_, span),) = planned.scaling(0, LENGTH_S + REST_S)
    model = Model(settings.capacity, start_s, STEP_S, grace_s=SURPLUS_GRACE_S)
    return simulate(batches, LENGTH_S + REST_S, model, Scaled(settings, span))


def report(found: Mapping[str, tuple[Live, Outcome]]) -> str:
    """Render what was and what was foretold of each trace, and how far they are apart."""
    rows = [
        [
            "trace",
            "a start, ms",
            "instance-s, live",
            "foretold",
            "",
            "cold starts, live",
            "foretold",
            "",
            "peak",
            "foretold",
        ]
    ]
    for name, (live, outcome) in found.items():
        rows.append(
            [
                name,
                f"{live.start_s * 1000:.0f}",
                *(f"{live.instance_s:.1f}", f"{outcome.instance_s:.1f}"),
                _judged(live.instance_s, outcome.instance_s, ALLOWED["instance-seconds"]),
                *(str(live.cold_starts), str(outcome.cold_starts)),
                _judged(live.cold_starts, outcome.cold_starts, ALLOWED["cold starts"]),
                *(str(live.peak), str(outcome.peak)),
            ]
        )
    failed = sum(live.failed for live, _ in found.values())
    requests = sum(len(live.took_ms) for live, _ in found.values())
    times = [
        f"{name} {percentile(live.took_ms, 95):.0f} and {outcome.percentile_ms(95)}"
        for name, (live, outcome) in found.items()
    ]
    return f"{render(rows)}\np95 in ms, live and foretold: {', '.join(times)}\n{failed} of {requests} requests failed"


def _judged(live: float, foretold: float, allowed: float) -> str:
    off = abs(foretold - live) / live if live else float(foretold != live)
    return f"{off:.0%} off, {allowed:.0%}: {'met' if off <= allowed else 'missed'}"


@contextmanager
def serving() -> Iterator[Stack]:
    """Run a stack with a service for each trace, and take it away again."""
    with bench_stack() as stack:
        for name in TRACES:
            # Below a whole CPU an instance takes one request at once, as on Cloud Run.
            stack.write(name, service(name, template=SCALING))
        stack.up()
        yield stack


def main() -> None:
    """Parse the command line, measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", choices=list(TRACES), action="append", help="a trace to run; all by default")
    options = parser.parse_args()
    found = {}
    with serving() as stack:
        for name in options.only or TRACES:
            batches = list(shaped(TRACES[name], PEAK_RPS, REQUEST_S, STEP_S))
            live = run_live(stack, name, batches)
            found[name] = live, run_simulated(stack, name, batches, live.start_s)
            print(f"{name}: done", flush=True)
    version = docker("version", "--format", "{{.Server.Version}}").strip()
    print(f"\n{conditions({'engine': version})}\n")
    print(report(found))


if __name__ == "__main__":
    main()
