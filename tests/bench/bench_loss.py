"""Benchmark of losing one of three instances: it is killed, it hangs (SIGSTOP), or it answers 500.

vegeta sends 1,000 requests a second for 14 s over 100 keep-alive connections, half of them POST. The fault begins after
2 s and ends after 10 s (a killed instance is started again). The proxies are told nothing: each notices by what it
has, stated in the table, and must have an answer within 2 s. A request counts as slow from 0.5 s. "Ejected" is the time
from the fault to the beginning of the first whole second in which no request failed or was slow.

    .venv/bin/python -m tests.bench.bench_loss
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import load, table
from tests.bench.peers.all import BEHAVIOUR, versions
from tests.bench.peers.instances import Instance, start_all
from tests.bench.peers.lineup import serving, suite
from tests.bench.peers.peer import Peer
from tests.bench.peers.programs import Programs
from tests.harness.ports import free_ports

RATE, SECONDS = 1000, 14
FAULT_S, HEALED_S = 2.0, 10.0
ANSWER_S = 2
SLOW_S = 0.5
# A whole second of 1,000 requests without one that failed or was slow: no instance is being tried any more.
CALM_S = 1.0
FAULTS: dict[str, Callable[[Instance], None]] = {
    "killed": Instance.kill,
    "hangs": Instance.hang,
    "answers 500": Instance.fail,
}


@dataclass(frozen=True)
class Loss:
    """What a fault cost: the requests, and when the fault began and ended (as `Hit.at_s`)."""

    hits: Sequence[load.Hit]
    began_s: float
    ended_s: float

    def ejected_s(self) -> float | None:
        """Return seconds from the fault to the first calm second; None when the fault ended before one."""
        calm_since = self.began_s
        for hit in self.hits:
            if hit.at_s < self.began_s:
                continue
            if hit.at_s >= min(calm_since + CALM_S, self.ended_s):
                break
            if troubled(hit):
                calm_since = hit.at_s
        calm = self.ended_s - calm_since >= CALM_S
        return calm_since - self.began_s if calm else None

    def slow(self) -> int:
        """Count the requests that were answered, but late."""
        return sum(troubled(hit) and not hit.failed for hit in self.hits)


def troubled(hit: load.Hit) -> bool:
    """Whether a client would have noticed."""
    return hit.failed or hit.took_s >= SLOW_S


def attack(vegeta: Path, directory: Path, peer: Peer, victim: Instance, fault: Callable[[Instance], None]) -> Loss:
    """Send requests to one contender, hurt an instance and heal it."""
    run = load.Attack(vegeta, directory, peer.port, RATE, SECONDS)
    pause = threading.Event()
    with run.running():
        pause.wait(FAULT_S)
        began = time.time()
        fault(victim)
        pause.wait(HEALED_S - FAULT_S)
        ended = time.time()
        heal(victim)
    return Loss(run.hits, began, ended)


def heal(victim: Instance) -> None:
    """Undo any fault."""
    if victim.process is None or victim.process.poll() is not None:
        victim.start()
    else:
        victim.heal()


def row(name: str, fault: str, loss: Loss, price: float) -> list[str]:
    """Say what one fault cost one contender."""
    ejected = loss.ejected_s()
    return [
        fault,
        name,
        load.failures(loss.hits),
        str(loss.slow()),
        "never" if ejected is None else f"{ejected:.2f}",
        f"{table.percentile([hit.took_s for hit in loss.hits], 99) * 1000:.0f}",
        f"{price:.3f}",
    ]


def measure(programs: Programs) -> str:
    """Let each contender lose an instance in each way."""
    vegeta = programs.require("vegeta")
    rows = [["one of three", "", "failed", "slow", "ejected after, s", "p99, ms", "CPU s per 1,000"]]
    with suite() as directory:
        instances = start_all(directory, [[port] for port in free_ports(3)])
        try:
            ports = [instance.ports[0] for instance in instances]
            with serving(directory, BEHAVIOUR, programs, ports, ANSWER_S) as peers:
                for name, fault in FAULTS.items():
                    for peer in peers:
                        # Everybody's passive checks have had their 10 s since the last fault, while others ran.
                        began = peer.processor_s()
                        loss = attack(vegeta, directory, peer, instances[-1], fault)
                        price = (peer.processor_s() - began) / len(loss.hits) * 1000
                        rows.append(row(peer.name, name, loss, price))
                notes = "\n".join(f"{peer.name}: {peer.health}" for peer in peers)
                return f"{table.conditions(versions(programs, peers))}\n{table.render(rows)}\n{notes}"
        finally:
            for instance in instances:
                instance.stop()


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(measure(Programs()))


if __name__ == "__main__":
    main()
