"""Benchmark of the latency that a proxy adds at a fixed rate, beside its peers.

vegeta sends 1,000 requests a second, open loop (a slow answer delays no later request), half GET and half POST of 100
bytes, over 100 keep-alive connections. The contenders take turns. "Added" is a round's percentile less that of the
instance asked directly in the same round; the table shows medians of the rounds. A request that fails fails the
benchmark, or leaves out the peer whose it was.

    .venv/bin/python -m tests.bench.bench_latency --rounds 5 --seconds 8
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench import load, table
from tests.bench.peers.all import BEHAVIOUR, versions
from tests.bench.peers.instances import start_all
from tests.bench.peers.lineup import serving, suite
from tests.bench.peers.nginx import LoggingNginx
from tests.bench.peers.peer import Direct, Peer
from tests.bench.peers.programs import Programs
from tests.harness.ports import free_ports

RATE = 1000
PERCENTILES = (50, 99, 99.9)
# Without these there is nothing to compare.
REQUIRED = ("direct", "gateway")
KINDS: tuple[type[Peer], ...] = (Direct, *BEHAVIOUR[:2], LoggingNginx, *BEHAVIOUR[2:])


def percentiles(name: str, hits: Sequence[load.Hit]) -> list[float]:
    """Return the percentiles in milliseconds; Failed when a request failed."""
    if any(hit.failed for hit in hits):
        raise load.Failed(f"{name}: requests failed: {load.failures(hits)}")
    return [table.percentile([hit.took_s for hit in hits], percent) * 1000 for percent in PERCENTILES]


def rows(taken: Mapping[str, Sequence[Sequence[float]]], prices: Mapping[str, Sequence[float]]) -> list[list[str]]:
    """Make a row for each contender from its rounds, each a list of percentiles; the first is what others add to."""
    base = taken[next(iter(taken))]
    heading = [f"p{percent:g} added, ms" for percent in PERCENTILES]
    made = [["", *heading, *(f"p{percent:g}, ms" for percent in PERCENTILES), "CPU s per 1,000"]]
    for name, rounds in taken.items():
        added = [
            f"{statistics.median(own[each] - other[each] for own, other in zip(rounds, base, strict=True)):.2f}"
            for each in range(len(PERCENTILES))
        ]
        whole = [table.spread([one[each] for one in rounds], ".2f") for each in range(len(PERCENTILES))]
        made.append([name, *added, *whole, f"{statistics.median(prices[name]):.3f}"])
    return made


def attack(program: Path, directory: Path, peer: Peer, seconds: int) -> tuple[list[float], float]:
    """Send requests to one contender; return the percentiles and the processor seconds for 1,000 requests."""
    began = peer.processor_s()
    hits = load.Attack(program, directory, peer.port, RATE, seconds).run()
    return percentiles(peer.name, hits), (peer.processor_s() - began) / len(hits) * 1000


def measure(programs: Programs, rounds: int, seconds: int) -> str:
    """Start every contender, let them take turns and give the table."""
    vegeta = programs.require("vegeta")
    with suite() as directory:
        instances = start_all(directory, [[port] for port in free_ports(3)])
        try:
            ports = [instance.ports[0] for instance in instances]
            with serving(directory, KINDS, programs, ports) as peers:
                taken: dict[str, list[list[float]]] = {peer.name: [] for peer in peers}
                prices: dict[str, list[float]] = {peer.name: [] for peer in peers}
                for peer in list(peers) * rounds:
                    if peer.name not in taken:
                        continue
                    try:
                        values, price = attack(vegeta, directory, peer, seconds)
                    except load.Failed as failure:
                        if peer.name in REQUIRED:
                            raise SystemExit(str(failure)) from None
                        print(f"left out: {failure}", flush=True)
                        del taken[peer.name]
                        continue
                    taken[peer.name].append(values)
                    prices[peer.name].append(price)
                return f"{table.conditions(versions(programs, peers))}\n{table.render(rows(taken, prices))}"
        finally:
            for instance in instances:
                instance.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8, help="for each contender in each round")
    arguments = parser.parse_args()
    print(measure(Programs(), arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
