"""Upgrade drill: a stack that an earlier Runyard brought up is taken to this one while it is asked.

`python -m tests.harness.upgrade COMMIT` has a commit of this repository as the earlier one. It says what became of the
requests, and fails where one was lost: all may be refused at most for as long as the gateway's container is made anew,
and only if it is (docs/architecture.md, what an update does to running traffic).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runyard import names
from tests.e2e.load import Load
from tests.harness.stack import ROOT, inspect, service
from tests.harness.team import Team, new_team

# Requests a second.
RATE = 50
# What a request counts as that found nobody at the port (tests/e2e/load.py).
REFUSED = "ClientConnectorError"


@contextmanager
def checkout_of(commit: str, directory: Path) -> Iterator[Path]:
    """Give a working tree of a commit with its own environment, and remove it afterwards."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", directory, commit], check=True)
    try:
        subprocess.run([directory / "toolchain" / "bootstrap", "environment"], check=True)
        yield directory
    finally:
        subprocess.run([*git, "remove", "--force", directory], check=True)


def drill(team: Team) -> tuple[Counter[str], bool]:
    """Bring a stack up as its checkout does, then as this one; give the answers, and whether the gateway was replaced.

    AssertionError where an update fails, or this Runyard's preview still finds something to do.
    """
    team.write("hello", service("hello"))
    team.type("runyard up")
    gateway = names.platform_container(team.stack, names.ROLE_GATEWAY)
    before = inspect(gateway)["Id"]
    team.checkout = ROOT
    with Load(team.ports.edge, "hello.localhost", RATE) as load:
        print(team.type("runyard up"), end="")
    team.type("runyard preview --force --expect-no-changes")
    return load.results, inspect(gateway)["Id"] != before


def lost(results: Counter[str], *, replaced: bool) -> int:
    """Count the requests that had another answer than theirs."""
    return sum(count for result, count in results.items() if result != "200" and not (replaced and result == REFUSED))


def main(arguments: Sequence[str]) -> int:
    """Drill, say what became of the requests, and give the exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="runyard-upgrade-") as temporary:
        directory = Path(temporary)
        with checkout_of(arguments[0], directory / "earlier") as earlier, new_team(directory, earlier) as team:
            results, replaced = drill(team)
    anew = "made anew" if replaced else "as it was"
    print(f"upgrade from {arguments[0]}: answers {dict(results)}, the gateway's container {anew}")
    return 1 if lost(results, replaced=replaced) or not results["200"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
