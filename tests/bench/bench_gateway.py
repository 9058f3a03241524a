"""Benchmark of the gateway's throughput beside its peers, with one worker or core each, over loopback.

wrk sends GETs from 32 keep-alive connections as fast as they are answered, and the body is 100 bytes of JSON. The
generator and the instances have one core, the contender has the other, and the contenders take turns. Throughput
swings with whatever else the machine does, so the table also shows the processor time that the proxy itself took,
which swings less; the ratios are medians of the rounds' own. A request that fails fails the benchmark.

    .venv/bin/python -m tests.bench.bench_gateway --rounds 7 --seconds 3
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import load, table
from tests.bench.peers.all import NGINX, THROUGHPUT, versions
from tests.bench.peers.instances import Instance
from tests.bench.peers.lineup import serving, suite
from tests.bench.peers.ours import ThousandServices
from tests.bench.peers.peer import Peer
from tests.bench.peers.programs import Programs
from tests.harness.ports import free_ports

CONNECTIONS = 32


@dataclass
class Contender:
    """A peer, the hosts that it is asked for, and what was measured in each round."""

    peer: Peer
    hosts: Sequence[str]
    per_second: list[float] = field(default_factory=list)
    # Processor seconds of the proxy for 1,000 requests.
    price: list[float] = field(default_factory=list)

    def run(self, directory: Path, seconds: int) -> None:
        """Send requests for this long and record what they took."""
        began = self.peer.processor_s()
        try:
            seen = load.wrk(self.peer.port, self.hosts, directory, connections=CONNECTIONS, seconds=seconds)
        except load.Failed as failure:
            raise SystemExit(f"{self.peer.name}: {failure}") from None
        self.per_second.append(seen.per_second)
        self.price.append((self.peer.processor_s() - began) / seen.requests * 1000)


def contender(peer: Peer) -> Contender:
    """Ask a peer for all of its hosts."""
    return Contender(peer, peer.host_names())


def rows(contenders: Sequence[Contender]) -> list[list[str]]:
    """Make a row for each contender: medians, their spread, and the ratios to the first one."""
    base = contenders[0]
    made = [["", "req/s", "of bare", "CPU s per 1,000", "of bare"]]
    for each in contenders:
        speed = table.ratio(each.per_second, base.per_second)
        # The reciprocal, so that both ratios read alike: less time is more throughput.
        price = table.ratio(base.price, each.price)
        made.append(
            [
                each.peer.name,
                table.spread(each.per_second, ",.0f"),
                f"{speed:.2f}",
                table.spread(each.price, ".4f"),
                f"{price:.2f}",
            ]
        )
    return made


# What the gateway is to reach of each other contender's throughput.
TARGETS = (
    ("gateway", "bare nginx", 0.65),
    ("gateway", "nginx with a log", 0.85),
    ("gateway", "Traefik", 3.0),
    ("gateway, every limit", "bare nginx", 0.65),
    ("gateway, every limit", "nginx with a log", 0.80),
    ("gateway, every limit", "Traefik", 3.0),
    ("gateway, 200 routes", "gateway", 0.95),
    ("gateway, 200 services", "gateway", 0.95),
    # What the sockets of 200 instances cost nginx itself.
    ("nginx with a log, 200 services", "nginx with a log", 0.95),
    ("gateway, 200 services", "nginx with a log, 200 services", 0.85),
    ("gateway, 1,000 services", "gateway", 0.90),
    # More workers on one core serve no more; what counts is that they cost no more than 1.1 times one's time.
    ("gateway, four workers", "gateway", 1 / 1.1),
)


def targets(contenders: Sequence[Contender]) -> list[list[str]]:
    """Make a row for each target whose contenders were measured: the ratios, what was asked, and whether it is met.

    It is by the processor time, which on a busy machine says more than the rate.
    """
    measured = {each.peer.name: each for each in contenders}
    made = [["", "of", "req/s", "CPU", "target", ""]]
    for name, other, target in TARGETS:
        if name in measured and other in measured:
            speed = table.ratio(measured[name].per_second, measured[other].per_second)
            price = table.ratio(measured[other].price, measured[name].price)
            verdict = "met" if price >= target else "MISSED"
            made.append([name, other, f"{speed:.2f}", f"{price:.2f}", f"{target:.2f}", verdict])
    return made


def measure(programs: Programs, kinds: Sequence[type[Peer]], rounds: int, seconds: int) -> str:
    """Start every contender, let them take turns and give the table."""
    with suite() as directory:
        # One process for all of them: switching between several would cost the generator's core too much.
        instance = Instance(directory / "instances", *free_ports(ThousandServices.most_instances))
        instance.start()
        try:
            with serving(directory, kinds, programs, instance.ports) as peers:
                contenders = [contender(peer) for peer in peers]
                for _ in range(rounds):
                    for each in contenders:
                        each.run(directory, seconds)
                tables = f"{table.render(rows(contenders))}\n\n{table.render(targets(contenders))}"
                return f"{table.conditions(versions(programs, peers))}\n{tables}"
        finally:
            instance.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="for each contender in each round")
    parser.add_argument("--only", nargs="*", default=[], help="names of contenders; all without")
    parser.add_argument("--nginx", action="store_true", help="leave out the peers that are no nginx")
    arguments = parser.parse_args()
    known = NGINX if arguments.nginx else THROUGHPUT
    kinds = [kind for kind in known if not arguments.only or kind.name in arguments.only]
    print(measure(Programs(), kinds, arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
