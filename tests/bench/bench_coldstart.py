"""Benchmark of cold starts: from a request to the first byte of the sample's answer, beside bare calls of the engine.

A stack of services that sleep after six idle seconds, half of them stopped and half frozen. In each round, interleaved
so that what slows the machine slows all alike:

- *engine, start*: create and start a container of the sample with the limits of an instance, in the tenant's network,
  until it has answered; nothing else can be faster.
- *wake from stop*: a request through the gateway for a service without an instance.
- *engine, resume*: let a paused container go on, until it has answered.
- *wake from freeze*: a request through the gateway for a frozen service.

    toolchain/bootstrap benchmarks -- .venv/bin/python -m tests.bench.bench_coldstart --wakes 30
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from runyard import names
from tests.bench.stack import bench_stack
from tests.bench.table import conditions, percentile, render
from tests.harness.stack import MINIMUM, Stack, docker, service
from tests.harness.waiting import until

# The shortest window that Knative allows.
WINDOW = {"autoscaling.knative.dev/window": "6s", MINIMUM: "0"}
# So many services of each way, woken in turns, so that each has slept again when it is asked next.
SERVICES = 4
ASLEEP_S = 60
# What a wake may take above the engine's own calls at p95, in ms (issue 12).
ALLOWED_MS = {"stop": 30.0, "freeze": 15.0}
FLOORS = {"stop": "engine, start", "freeze": "engine, resume"}
_IMAGE, _PORT = "runyard/hello:1", 8080


class EngineApi(http.client.HTTPConnection):
    """The engine's API over its socket, on one connection, as the orchestrator has it."""

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask, and give what it answers; RuntimeError if it refuses."""
        self.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status}: {text[:300]!r}")
        return json.loads(text) if text else None


def container_of(network: str) -> dict[str, Any]:
    """Describe a container of the sample as hardened as an instance is."""
    host = {
        "NetworkMode": network,
        "Memory": 128 << 20,
        "MemorySwap": 128 << 20,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "PidsLimit": 256,
    }
    environment = [f"PORT={_PORT}", "K_SERVICE=bare", "K_REVISION=bare-1", "K_CONFIGURATION=bare"]
    return {"Image": _IMAGE, "Env": environment, "HostConfig": host}


def answers(address: str) -> bool:
    """Ask an instance itself."""
    try:
        with socket.create_connection((address, _PORT), 0.2) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


@contextmanager
def bare(engine: EngineApi, network: str) -> Iterator[tuple[str, str, float]]:
    """Start a container by the engine alone; gives its id, its address and the milliseconds until it answered."""
    began = time.perf_counter()
    made = engine.ask("POST", "/containers/create", container_of(network))["Id"]
    try:
        engine.ask("POST", f"/containers/{made}/start")
        shown = engine.ask("GET", f"/containers/{made}/json")
        address = shown["NetworkSettings"]["Networks"][network]["IPAddress"]
        until(lambda: answers(address), "the container answers", every_s=0.001)
        yield made, address, (time.perf_counter() - began) * 1000
    finally:
        engine.ask("DELETE", f"/containers/{made}?force=1")


def resumed_ms(engine: EngineApi, made: str, address: str) -> float:
    """Pause a container, and give the milliseconds from letting it go on until it answered."""
    engine.ask("POST", f"/containers/{made}/pause")
    began = time.perf_counter()
    engine.ask("POST", f"/containers/{made}/unpause")
    until(lambda: answers(address), "the container answers", every_s=0.001)
    return (time.perf_counter() - began) * 1000


def woken_ms(stack: Stack, name: str) -> float:
    """Ask for a sleeping service, and give the milliseconds until its answer began; AssertionError if it is none."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    connection.connect()
    began = time.perf_counter()
    connection.request("GET", "/", headers={"Host": f"{name}.localhost"})
    answer = connection.getresponse()
    took = (time.perf_counter() - began) * 1000
    answer.read()
    connection.close()
    assert answer.status == 200, f"{name} answered {answer.status}"
    return took


def serving(stack: Stack, name: str) -> list[str]:
    """Name the containers of a service that are not paused."""
    label = f"label={names.SERVICE}={name}"
    mine = f"label={names.STACK}={stack.name}"
    return docker(
        "ps", "--filter", mine, "--filter", label, "--filter", "status=running", "--format", "{{.Names}}"
    ).split()


def measure(stack: Stack, wakes: int) -> dict[str, list[float]]:
    """Wake so many times each way, with the engine's own calls between."""
    engine, network = EngineApi("engine"), names.tenant_network(stack.name, "default")
    found: dict[str, list[float]] = {each: [] for way in FLOORS for each in (FLOORS[way], way)}
    for number in range(wakes):
        for way in FLOORS:
            name = f"{way}-{number % SERVICES}"
            until(lambda name=name: serving(stack, name) == [], f"{name} sleeps", ASLEEP_S, 0.1)  # type: ignore[misc]
            found[way].append(woken_ms(stack, name))
        with bare(engine, network) as (made, address, took):
            found[FLOORS["stop"]].append(took)
            found[FLOORS["freeze"]].append(resumed_ms(engine, made, address))
    return found


def report(found: Mapping[str, Sequence[float]]) -> str:
    """Render the times of each way, and how far each wake is above its floor at p95."""
    rows = [["", "p50 ms", "p95 ms", "most ms", "above its floor at p95, allowed"]]
    for way, floor in FLOORS.items():
        for name in (floor, way):
            values = found[name]
            above = percentile(values, 95) - percentile(found[floor], 95)
            verdict = "met" if above <= ALLOWED_MS[way] else "missed"
            judged = f"{above:.0f} ms, {ALLOWED_MS[way]:.0f} ms: {verdict}" if name == way else ""
            title = f"wake from {way}" if name == way else floor
            marks = [percentile(values, 50), percentile(values, 95), max(values)]
            rows.append([title, *(f"{each:.0f}" for each in marks), judged])
    return render(rows)


@contextmanager
def sleeping() -> Iterator[Stack]:
    """Run a stack of services that sleep soon, and take it away again."""
    with bench_stack() as stack:
        for number in range(SERVICES):
            stack.write(f"stop-{number}", service(f"stop-{number}", template=WINDOW))
            template = {**WINDOW, "runyard.dev/idle": "freeze"}
            stack.write(f"freeze-{number}", service(f"freeze-{number}", template=template))
        stack.up()
        yield stack


def main() -> None:
    """Parse the command line, measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--wakes", type=int, default=30, help="wakes of each way (default 30)")
    options = parser.parse_args()
    with sleeping() as stack:
        found = measure(stack, options.wakes)
    version = docker("version", "--format", "{{.Server.Version}}").strip()
    print(f"\n{conditions({'engine': version})}; {options.wakes} wakes\n")
    print(report(found))


if __name__ == "__main__":
    main()
