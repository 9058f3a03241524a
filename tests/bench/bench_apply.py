"""Benchmark of apply: N one-instance services under Runyard and the same containers under Compose v2, in turns.

Everything goes through the commands that a user types, `make` and its bootstrap included. Each life of a stack begins
from nothing, gets four earlier revisions of each service, and ends with destroy; between that come an update with
nothing to do (answered without Pulumi, and through it), a preview, and a change of one service until that serves. Every
service is asked for a page after each update of all; one that does not answer 200 fails the benchmark.

    .venv/bin/python -m tests.bench.bench_apply --services 1,30,100
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.contenders import Compose, Contender, Runyard
from tests.bench.table import conditions, render
from tests.bench.timing import ROUNDS, Stopwatch, seconds_text
from toolchain import pins

# Revisions of each service beside the one that serves, as a stack that has lived has them.
KEPT_REVISIONS = 4
NOTHING, FORCED, PREVIEW = "nothing to do", "nothing to do, through Pulumi", "preview"
ONE, CREATE, DESTROY = "one changed and serving", "from nothing", "destroy"
# A figure that is missed by no more than this is met, where a profile says why.
ALLOWANCE = 1.2


class Target(NamedTuple):
    """What a job may take with so many services: seconds, or a multiple of Compose's time, or of another size's."""

    job: str
    services: int
    at_most: float
    of: str = ""
    of_services: int = 0


# From issue 9; 0.5 s is what a user takes for at once.
TARGETS = (
    *(Target(NOTHING, count, 0.5) for count in (1, 30, 100)),
    Target(FORCED, 100, 3.0),
    Target(PREVIEW, 100, 3.0),
    Target(ONE, 100, 4.0),
    Target(CREATE, 100, 1.25, of=Compose.name),
    Target(DESTROY, 100, 2.0, of=Compose.name),
    *(Target(job, 300, 3.5, of_services=100) for job in (NOTHING, FORCED, ONE)),
    *(Target(job, 300, 4.5, of_services=100) for job in (CREATE, DESTROY)),
)


def row(count: int, job: str) -> str:
    """Name a job with so many services, as the table shows it."""
    return f"{count} service{'' if count == 1 else 's'}: {job}"


def measure(watch: Stopwatch, contender: Contender, count: int, rounds: int = ROUNDS) -> None:
    """Take a contender through its life with `count` services."""

    def timed(job: str, action: Callable[[], None]) -> None:
        elapsed = watch.time(row(count, job), contender.name, action)
        print(f"  {contender.name}: {row(count, job)}: {elapsed:.2f} s", flush=True)

    def change_one() -> None:
        contender.up()
        contender.await_change()

    try:
        timed(CREATE, contender.up)
        contender.check()
        for _ in range(KEPT_REVISIONS):
            contender.change(count)
            contender.up()
        contender.check()
        for _ in range(rounds):
            timed(NOTHING, contender.up)
            timed(FORCED, contender.force)
            timed(PREVIEW, contender.preview)
            contender.change(1)
            timed(ONE, change_one)
        contender.check()
        timed(DESTROY, contender.down)
    except BaseException:
        # Also on Ctrl-C: a hundred containers are no thing to leave behind.
        contender.down()
        raise
    finally:
        contender.close()


def judged(watch: Stopwatch, target: Target) -> list[str] | None:
    """Say how a target was met; None where what it speaks of was not measured."""
    try:
        reached = watch.timing(row(target.services, target.job), Runyard.name).median
        base = 1.0
        if target.of:
            base = watch.timing(row(target.services, target.job), target.of).median
        elif target.of_services:
            base = watch.timing(row(target.of_services, target.job), Runyard.name).median
    except KeyError:
        return None
    value = reached / base
    relative = bool(target.of or target.of_services)
    of = target.of or (f"{target.of_services} services" if target.of_services else "")
    verdict = (
        "met" if value <= target.at_most else "met with a reason" if value <= target.at_most * ALLOWANCE else "missed"
    )
    return [
        row(target.services, target.job),
        f"{target.at_most:g} x {of}" if relative else seconds_text(target.at_most),
        f"{value:.2f} x" if relative else seconds_text(value),
        verdict,
    ]


def target_table(watch: Stopwatch, targets: Sequence[Target] = TARGETS) -> str:
    """Render every target of which something was measured, with what was reached."""
    rows = [found for target in targets if (found := judged(watch, target)) is not None]
    return render([["target", "at most", "reached", ""], *rows]) if rows else "no target was measured"


def parse_sizes(text: str) -> list[int]:
    """Parse `1,30,100`; ValueError if one is no positive number."""
    sizes = [int(each) for each in text.split(",")]
    if min(sizes) < 1:
        raise ValueError(f"services: must be at least 1, got {min(sizes)}")
    return list(dict.fromkeys(sizes))


def main() -> None:
    """Parse the command line, measure and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--services", type=parse_sizes, default=[1, 30, 100], help="sizes (default 1,30,100)")
    parser.add_argument("--lives", type=int, default=1, help="lives of each stack, contenders in turns (default 1)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds in each life (default {ROUNDS})")
    parser.add_argument("--only", choices=["runyard", "compose"], help="measure one contender")
    options = parser.parse_args()
    kinds: dict[str, type[Runyard] | type[Compose]] = {"runyard": Runyard, "compose": Compose}
    chosen = [kinds[options.only]] if options.only else list(kinds.values())
    watch = Stopwatch()
    with tempfile.TemporaryDirectory(prefix="runyard-bench-") as directory:
        # The smallest stack is first: it also warms caches, for both alike.
        for count in sorted(options.services):
            for _ in range(options.lives):
                for kind in chosen:
                    measure(watch, kind(Path(directory), count), count, options.rounds)
    print(f"\n{conditions({'Pulumi': pins.load().pulumi.version})}\n")
    print(watch.table(chosen[-1].name))
    print(f"\n{target_table(watch)}")


if __name__ == "__main__":
    main()
