"""Benchmark of waking: what first requests of sleeping services find, how fast they go on, and what telling load costs.

No engine: a stand-in for the orchestrator hears wake.sock and pushes an endpoint, so the gateway alone is measured.

- *wakes*: services are asked for by so many first requests at once, of all methods, bodies, sockets and gRPC; half of
  them get their endpoint with the first request, half when all wait. None may be lost or sent twice.
- *release*: the time from before an endpoint is pushed until the instance has the first and the last of those that
  wait, over two workers. The instance is a Python program that reads one after the other, so many of them measure it.
- *load*: processor time of the gateway for one `GET /v1/load?after=`, of 1,000 services that had requests and are idle.

    .venv/bin/python -m tests.bench.bench_wake --wakes 200
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from runyard.contracts import GatewayLoad, decode
from runyard.gateway import Listener
from tests.bench import table
from tests.harness.client import UnixConnection
from tests.harness.ports import free_ports
from tests.harness.waiting import until, wait_until
from tests.unit.services.gateway.calls import CallServer
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, make_gateway, service
from tests.unit.services.gateway.waker import Waker
from tests.unit.services.gateway.wakes import Wakes, send_first

ROUNDS = 30
WAITING = (16, 500)
MANY = 100
# Further apart than workers let requests of each other go before: no worker's may wait for the other's.
APART_S = 0.015
SERVICES, READS = 1000, 3000
# How often the orchestrator reads, at the most.
PER_SECOND = 10


@contextmanager
def running(**settings: object) -> Iterator[Gateway]:
    """Run a gateway of two workers in a directory of its own."""
    with TemporaryDirectory() as directory:
        gateway = make_gateway(Path(directory), **{"worker_connections": 4096, **settings})
        gateway.start()
        try:
            yield gateway
        finally:
            gateway.stop()


@contextmanager
def answering() -> Iterator[Instance]:
    """Run an instance."""
    instance = Instance().start()
    try:
        yield instance
    finally:
        instance.kill()


def measure_wakes(wakes: int, requests: int) -> str:
    """Wake so many services with so many first requests each, and say what was lost or doubled."""
    edge, internal, h2c = free_ports(3)
    listeners = (
        Listener("edge", f"127.0.0.1:{edge}"),
        Listener("internal", f"127.0.0.1:{internal}"),
        Listener("edge", f"127.0.0.1:{h2c}", http2=True),
    )
    server, began = CallServer(), time.monotonic()
    with running(listeners=listeners) as gateway, answering() as instance, Waker(gateway) as waker:
        services = Wakes(gateway, instance, server, wakes)
        wrong = [
            each
            for number, name in enumerate(services.names)
            for each in services.wake(waker, name, requests, early=number % 2 == 1)
        ]
    server.stop()
    lines = "\n".join(wrong[:20])
    return f"{wakes} wakes of {requests} first requests: {len(wrong)} wrong, {time.monotonic() - began:.0f} s\n{lines}"


def release(gateway: Gateway, instance: Instance, waker: Waker, waiting: int) -> tuple[float, float]:
    """Hold so many requests and start their service; gives milliseconds to the first and to the last of them."""
    key, seen = "default/hello-1", len(instance.seen)
    gateway.serve(concurrency=1000)
    clients = []
    for number in range(waiting):
        clients.append(send_first(gateway, "hello", 0, number))
        if waiting < MANY:
            wait_until(time.monotonic() + APART_S)
    until(lambda: _waiting(gateway) == waiting, "all are held")
    began = time.monotonic()
    waker.start(key, endpoints(instance.port, concurrency=1000))
    until(lambda: len(instance.seen_at) == seen + waiting, "the instance has all", every_s=0.05)
    for each in clients:
        failure = each.answer()
        assert not failure, failure
    times = [(each - began) * 1000 for each in instance.seen_at[seen:]]
    return min(times), max(times)


def _waiting(gateway: Gateway) -> int:
    load = decode(GatewayLoad, gateway.admin("GET", "/v1/load").body)
    return sum(each.waiting for each in load.revisions.values())


def measure_release() -> str:
    """Release requests again and again."""
    rows = [["waiting", "first of them, ms p50", "p95", "last of them, ms p50", "p95"]]
    with running() as gateway, answering() as instance, Waker(gateway) as waker:
        for waiting in WAITING:
            found = [release(gateway, instance, waker, waiting) for _ in range(ROUNDS if waiting < MANY else 5)]
            cells = [f"{table.percentile(each, rank):.1f}" for each in zip(*found, strict=True) for rank in (50, 95)]
            rows.append([str(waiting), *cells])
    return table.render(rows)


def measure_load() -> str:
    """Read the load of idle services as the orchestrator does."""
    names = [f"s{number}" for number in range(SERVICES)]
    with running() as gateway, answering() as instance:
        gateway.push(
            services={f"default/{name}": service((f"{name}-1", 100)) for name in names},
            hosts={f"{name}.localhost": f"default/{name}" for name in names},
            endpoints={f"default/{name}-1": endpoints(instance.port) for name in names},
        )
        for name in names:
            assert gateway.request(host=f"{name}.localhost").status == 200
        connection = UnixConnection(Path(gateway.config.admin_socket))
        load = GatewayLoad("", 0, 0)
        told = []
        began = gateway.processor_s()
        for _ in range(READS):
            connection.request("GET", f"/v1/load?after={load.generation}&life={load.life}")
            load = decode(GatewayLoad, connection.getresponse().read())
            told.append(len(load.revisions))
        cost = (gateway.processor_s() - began) / READS
        connection.close()
    assert (told[0], told[-1]) == (SERVICES, 0)
    return (
        f"load of {SERVICES} idle services: {cost * 1e6:.0f} us a reading, "
        f"{cost * PER_SECOND * 100:.2f} % of a core at {PER_SECOND} a second"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wakes", type=int, default=200, help="services that are woken (default: 200)")
    parser.add_argument("--requests", type=int, default=50, help="first requests of each (default: 50)")
    options = parser.parse_args()
    print(table.conditions({}))
    print(measure_load())
    print(measure_release())
    print(measure_wakes(options.wakes, options.requests), flush=True)


if __name__ == "__main__":
    main()
