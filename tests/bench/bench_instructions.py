"""Benchmark of what a request costs the gateway beside nginx without the kernel's part, in instructions.

Callgrind (valgrind) counts the instructions that one worker executes for a number of requests, one after the other over
one connection, once it is warm: its traces are compiled and its connections to the instances are there. That does not
depend on who else is busy, but says nothing of caches and of the kernel. A request that fails fails the benchmark.

    .venv/bin/python -m tests.bench.bench_instructions --requests 2000
"""

from __future__ import annotations

import argparse
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path

from tests.bench import table
from tests.bench.peers.all import NGINX, versions
from tests.bench.peers.instances import Instance
from tests.bench.peers.lineup import suite
from tests.bench.peers.nginx import FourNginx
from tests.bench.peers.ours import FourWorkers, ThousandServices
from tests.bench.peers.peer import Peer
from tests.bench.peers.programs import Programs
from tests.harness.ports import free_ports
from tests.harness.waiting import until

# One worker is counted, so more are no other case.
KINDS = tuple(kind for kind in NGINX if kind not in (FourNginx, FourWorkers))
# LuaJIT compiles what ran some dozen times; a side exit as often again.
WARM_UP = 2000
PATIENCE_S = 30
# Some milliseconds a request.
LOAD_S = 120
# What nginx calls once for each request, at its end.
ENDS = "ngx_http_free_request"


def valgrind(directory: Path) -> list[str]:
    """Return the command that runs another one, and its children, under callgrind, and counts nothing at first."""
    directory.mkdir()
    # Workers of another user write here.
    directory.chmod(0o777)
    return [
        *("valgrind", "--tool=callgrind", "--trace-children=yes", "--instr-atstart=no", "--quiet"),
        *(f"--callgrind-out-file={directory}/counts.%p", f"--vgdb-prefix={directory}/vgdb"),
    ]


def tell(directory: Path, worker: int, *command: str) -> None:
    """Have callgrind do something in this process."""
    subprocess.run(
        ["vgdb", f"--vgdb-prefix={directory}/vgdb", f"--pid={worker}", *command],
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )


def worker_of(master: int) -> int:
    """Find the worker of an nginx that has one: it is started first, and what looks after a cache after it."""
    children = Path(f"/proc/{master}/task/{master}/children")
    until(lambda: children.read_text().split(), "a worker runs")
    return int(children.read_text().split()[0])


@dataclass
class Load:
    """GETs over one connection, one after the other, naming the hosts in turn, from a thread of its own."""

    port: int
    hosts: Sequence[str]
    done: int = 0
    failure: str = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send them while the block runs; SystemExit when an answer was not 200."""
        stop = threading.Event()
        thread = threading.Thread(target=self._send, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if self.failure:
            raise SystemExit(self.failure)

    def more(self, count: int) -> None:
        """Wait until so many more are answered."""
        wanted = self.done + count
        until(lambda: bool(self.failure) or self.done >= wanted, f"{count} requests are answered", LOAD_S)

    def _send(self, stop: threading.Event) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, PATIENCE_S)
        for host in cycle(self.hosts):
            connection.request("GET", "/", headers={"Host": host, "User-Agent": "bench"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                self.failure = f"{host}: must answer 200, got {response.status}"
            if self.failure or stop.is_set():
                break
            self.done += 1
        connection.close()


def per_request(dump: str) -> float:
    """Divide what a dump of callgrind counts by the requests that ended in it; ValueError when it shows none.

    `fn=(7) name` gives a function a number where it is first named, and `cfn=(7)` with a line `calls=N ...` is a call.
    """
    total = re.search(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE)
    known = re.search(rf"fn=\((\d+)\) {ENDS}$", dump, re.MULTILINE)
    calls = known and re.findall(rf"^cfn=\({known[1]}\).*\ncalls=(\d+)", dump, re.MULTILINE)
    if not total or not calls:
        raise ValueError(f"the dump must have totals and calls of {ENDS}")
    return int(total[1]) / sum(map(int, calls))


def instructions(peer: Peer, directory: Path, requests: int) -> float:
    """Start a peer under callgrind, count, end it, and return the instructions of a request."""
    peer.wrapper = valgrind(directory)
    peer.start()
    try:
        hosts = peer.host_names()
        load, worker = Load(peer.port, hosts), worker_of(peer.pid)
        # All the time: callgrind takes a command only when its process runs.
        with load.running():
            load.more(max(WARM_UP, 2 * len(hosts)))
            tell(directory, worker, "instrumentation", "on")
            load.more(requests)
            tell(directory, worker, "dump")
        newest = max(directory.glob(f"counts.{worker}.*"), key=lambda path: path.stat().st_mtime)
        return per_request(newest.read_text())
    finally:
        peer.stop()


def measure(programs: Programs, requests: int, kinds: Sequence[type[Peer]]) -> str:
    """Count for each contender alone, and give the table."""
    made = [["", "instructions a request", "of bare"]]
    peers = []
    with suite() as directory:
        instance = Instance(directory / "instances", *free_ports(ThousandServices.most_instances))
        instance.start()
        try:
            base = 0.0
            for number, kind in enumerate(kinds):
                peer = kind(directory / f"peer-{number}", instance.ports, Path("nginx"))
                peers.append(peer)
                found = instructions(peer, directory / f"counts-{number}", requests)
                base = base or found
                made.append([peer.name, f"{found:,.0f}", f"{found / base:.2f}"])
                print(made[-1], flush=True)
        finally:
            instance.stop()
    return f"{table.conditions(versions(programs, peers))}\n{table.render(made)}"


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--only", nargs="*", default=[], help="names of contenders; all without")
    arguments = parser.parse_args()
    kinds = [kind for kind in KINDS if not arguments.only or kind.name in arguments.only]
    print(measure(Programs(), arguments.requests, kinds))


if __name__ == "__main__":
    main()
