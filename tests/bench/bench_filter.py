"""Benchmark of the filter: what a call of the orchestrator's takes through it, beside the engine's own socket.

The filter runs as a program of this machine, before its engine; nothing of a stack is needed. Each round is one call by
each way, over connections that stay, as the orchestrator's do. A description costs no second call of the engine's, for
the filter hands on the one that it judges by; a version is judged by its words alone.

    .venv/bin/python -m tests.bench.bench_filter --rounds 500
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from runyard import names
from tests.bench.timing import Stopwatch
from tests.harness.client import UnixConnection
from tests.harness.programs import build_go
from tests.harness.stack import ROOT, docker
from tests.harness.waiting import until

ENGINE = Path("/var/run/docker.sock")
STACK = "bench-filter"
# Signs nothing here; a key of zeros is as long as any.
KEY = base64.b64encode(bytes(32)).decode()


@contextmanager
def filtering(directory: Path) -> Iterator[Path]:
    """Start a filter before this machine's engine and give its socket."""
    program = build_go(ROOT / "services" / "filter" / "command", directory / "filter")
    socket = directory / "engine.sock"
    told = {
        "RUNYARD_STACK": STACK,
        "RUNYARD_PUBLIC_KEY": KEY,
        "RUNYARD_ENGINE": str(ENGINE),
        "RUNYARD_SOCKET": str(socket),
        "RUNYARD_DOCUMENTS": str(directory),
        "RUNYARD_SECCOMP": str(ROOT / "services" / "orchestrator" / "engine" / "docker" / "seccomp.json"),
    }
    with subprocess.Popen([program], env={**os.environ, **told}, stderr=subprocess.DEVNULL) as started:
        try:
            until(socket.exists, "the filter listens")
            yield socket
        finally:
            started.kill()


@contextmanager
def described() -> Iterator[str]:
    """Make a container of this stack's that is never started, and give its id."""
    made = docker("create", "--label", f"{names.STACK}={STACK}", "debian:bookworm-slim", "true").strip()
    try:
        yield made
    finally:
        docker("rm", made)


@contextmanager
def calling(sockets: Mapping[str, Path], path: str) -> Iterator[Mapping[str, Callable[[], object]]]:
    """Give for each way to the engine what asks for a path by it, over a connection that stays."""
    connections = {name: UnixConnection(socket) for name, socket in sockets.items()}

    def ask(name: str) -> None:
        connections[name].request("GET", path)
        answer = connections[name].getresponse()
        answer.read()
        assert answer.status == 200, (name, path, answer.status)

    try:
        yield {name: lambda name=name: ask(name) for name in sockets}  # type: ignore[misc]
    finally:
        for each in connections.values():
            each.close()


def main() -> None:
    """Ask by both ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    rounds = parser.parse_args().rounds
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as name, filtering(Path(name)) as socket, described() as container:
        for job, path in (
            ("describe a container", f"/v1.41/containers/{container}/json"),
            ("version", "/v1.41/version"),
        ):
            with calling({"direct": ENGINE, "filter": socket}, path) as ways:
                for ask in ways.values():
                    ask()
                watch.take_turns(job, ways, rounds)
    print(watch.table("direct"))


if __name__ == "__main__":
    main()
