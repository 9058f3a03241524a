"""Benchmark of changes under load: which requests fail while instances come and go and revisions change.

vegeta sends 1,000 requests a second for 25 s over 100 keep-alive connections, half of them POST. Meanwhile one of three
instances is taken away and ended, started again and added, and all traffic is moved to the three instances of another
revision, ten times in turn: 20 changes of endpoints and 10 rollouts. What no longer gets traffic gets SIGTERM 0.6 s
after the proxy was told, as the orchestrator does when an instance has drained.

    .venv/bin/python -m tests.bench.bench_changes --runs 2
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import load, table
from tests.bench.peers.all import BEHAVIOUR, versions
from tests.bench.peers.instances import Instance, start_all
from tests.bench.peers.lineup import serving, suite
from tests.bench.peers.peer import Peer
from tests.bench.peers.programs import Programs
from tests.harness.ports import free_ports

RATE, SECONDS = 1000, 25
TURNS = 10
# Between telling a proxy and ending what it no longer needs: long beside any answer here.
DRAIN_S = 0.6
# Three changes a turn with their drains end well within the run.
PAUSE_S = 0.2


@dataclass
class Crowd:
    """The instances of two revisions, of which one gets traffic."""

    live: list[Instance]
    spare: list[Instance]

    def change(self, peer: Peer, pause: threading.Event) -> None:
        """Take one instance away, add it again, and roll out the other revision."""
        last = self.live[-1]
        peer.route(ports(self.live[:-1]))
        pause.wait(DRAIN_S)
        last.stop()
        pause.wait(PAUSE_S)
        last.start()
        peer.route(ports(self.live))
        pause.wait(PAUSE_S)
        for instance in self.spare:
            if instance.process is None:
                instance.start()
        peer.roll(ports(self.spare))
        self.live, self.spare = self.spare, self.live
        pause.wait(DRAIN_S)
        for instance in self.spare:
            instance.stop()
        pause.wait(PAUSE_S)


def ports(instances: Sequence[Instance]) -> list[int]:
    """Name the instances by the ports that they answer at."""
    return [instance.ports[0] for instance in instances]


def attack(vegeta: Path, directory: Path, peer: Peer, crowd: Crowd) -> list[load.Hit]:
    """Send requests to one contender while its instances change."""
    run = load.Attack(vegeta, directory, peer.port, RATE, SECONDS)
    pause = threading.Event()
    with run.running():
        # The first answers, before the first change.
        pause.wait(1)
        for _ in range(TURNS):
            crowd.change(peer, pause)
    return run.hits


def row(peer: Peer, runs: Sequence[Sequence[load.Hit]], price: float) -> list[str]:
    """Say how many requests failed in all runs and why, and how slow the slowest were."""
    hits = [hit for run in runs for hit in run]
    failed = sum(hit.failed for hit in hits)
    worst = table.percentile([hit.took_s for hit in hits], 99.9) * 1000
    changes = 3 * TURNS * len(runs)
    return [
        peer.name,
        peer.change,
        f"{len(hits):,}",
        load.failures(hits),
        f"{failed / changes:.2f}",
        f"{worst:.0f}",
        f"{price:.3f}",
    ]


def measure(programs: Programs, runs: int) -> str:
    """Take each contender through all changes, one after the other."""
    vegeta = programs.require("vegeta")
    rows = [["", "changed by", "requests", "failed", "a change", "p99.9, ms", "CPU s per 1,000"]]
    with suite() as directory:
        numbers = free_ports(6)
        instances = start_all(directory, [[port] for port in numbers])
        try:
            with serving(directory, BEHAVIOUR, programs, numbers[:3]) as peers:
                seen: dict[str, list[list[load.Hit]]] = {peer.name: [] for peer in peers}
                spent = {peer.name: 0.0 for peer in peers}
                for _ in range(runs):
                    for peer in peers:
                        revive(instances)
                        peer.route(numbers[:3])
                        began = peer.processor_s()
                        seen[peer.name].append(attack(vegeta, directory, peer, Crowd(instances[:3], instances[3:])))
                        spent[peer.name] += peer.processor_s() - began
                for peer in peers:
                    requests = sum(map(len, seen[peer.name]))
                    rows.append(row(peer, seen[peer.name], spent[peer.name] / requests * 1000))
                return f"{table.conditions(versions(programs, peers))}\n{table.render(rows)}"
        finally:
            for instance in instances:
                instance.stop()


def revive(instances: Sequence[Instance]) -> None:
    """Start every instance that was ended."""
    for instance in instances:
        if instance.process is None:
            instance.start()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2, help="for each contender, of 30 changes and 25 s each")
    arguments = parser.parse_args()
    print(measure(Programs(), arguments.runs))


if __name__ == "__main__":
    main()
