"""Benchmark of `runyard load` against vegeta: the same requests to the same server, in turns.

Both are open loops of one process, half GET and half POST of 100 bytes. What matters is that both send all of them, and
that their percentiles agree: a generator that is short of a core shows here as one that is slow.

    .venv/bin/python -m tests.bench.bench_load --rounds 5 --seconds 8
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from runyard.workload.analysis import analyse, merged
from runyard.workload.crew import run_crew
from runyard.workload.model import Generator, Phase, Scenario, Target
from tests.bench import load, table
from tests.bench.peers.instances import BODY, start_all
from tests.bench.peers.lineup import suite
from tests.bench.peers.programs import Programs
from tests.harness.ports import free_port

RATES = (200, 1000)
VEGETA, OURS = "vegeta", "runyard load"
PERCENTILES = (50, 95, 99)


class Round(NamedTuple):
    """What one generator saw in one round: requests that were answered 200, and percentiles in milliseconds."""

    served: int
    percentiles: tuple[float, ...]


def vegeta_round(hits: Sequence[load.Hit]) -> Round:
    """Read vegeta's hits, which count from when each was sent."""
    took = [hit.took_s for hit in hits]
    return Round(
        sum(not hit.failed for hit in hits),
        tuple(table.percentile(took, percent) * 1000 for percent in PERCENTILES),
    )


def our_round(port: int, rate: int, seconds: int, workers: int) -> Round:
    """Send the same with our own generator; latency from the send is what vegeta measures."""
    url = f"http://127.0.0.1:{port}/"
    targets = (Target("GET", url=url), Target("POST", url=url, method="POST", body=BODY))
    scenario = Scenario(
        "bench",
        targets,
        (Phase("constant", float(seconds), float(rate)),),
        generator=Generator(workers=workers),
        timeout_s=float(load.PATIENCE_S),
    )
    run = run_crew(scenario)
    outcome = analyse(scenario, merged(run.recordings), run.usages, run.began_unix_s)
    for problem in outcome.generator.problems:
        print(f"{OURS}: {problem}", flush=True)
    latency = outcome.from_send
    return Round(outcome.totals.served, (latency.p50_ms, latency.p95_ms, latency.p99_ms))


def rows(taken: Mapping[int, Mapping[str, Sequence[Round]]], seconds: int) -> list[list[str]]:
    """Make a row for each rate and generator; ratios are to vegeta, round by round."""
    made = [
        ["rate", "", "served of all", *(f"p{each}, ms" for each in PERCENTILES), *(f"p{each}" for each in PERCENTILES)]
    ]
    for rate, rounds in taken.items():
        base = rounds[VEGETA]
        for name, mine in rounds.items():
            served = statistics.median(each.served for each in mine) / (rate * seconds)
            columns = [
                ([each.percentiles[at] for each in mine], [each.percentiles[at] for each in base])
                for at in range(len(PERCENTILES))
            ]
            shown = [table.spread(values, ".2f") for values, _ in columns]
            ratios = [f"{table.ratio(values, others):.2f}" for values, others in columns]
            made.append([str(rate), name, f"{100 * served:.2f} %", *shown, *ratios])
    return made


def measure(programs: Programs, rounds: int, seconds: int, workers: int) -> str:
    """Let both take turns at each rate and give the table."""
    vegeta = programs.require("vegeta")
    taken: dict[int, dict[str, list[Round]]] = {rate: {VEGETA: [], OURS: []} for rate in RATES}
    with suite() as directory:
        (instance,) = start_all(Path(directory), [[free_port()]])
        try:
            (port,) = instance.ports
            for rate in RATES * rounds:
                hits = load.Attack(vegeta, Path(directory), port, rate, seconds).run()
                taken[rate][VEGETA].append(vegeta_round(hits))
                taken[rate][OURS].append(our_round(port, rate, seconds, workers))
        finally:
            instance.stop()
    return f"{table.conditions({})}\n{table.render(rows(taken, seconds))}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8, help="for each generator in each round")
    parser.add_argument("--workers", type=int, default=1, help="processes of runyard load")
    arguments = parser.parse_args()
    print(measure(Programs(), arguments.rounds, arguments.seconds, arguments.workers))


if __name__ == "__main__":
    main()
