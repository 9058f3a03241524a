"""Load generators: wrk for the highest throughput (closed loop), vegeta for a fixed rate (open loop)."""

from __future__ import annotations

import csv
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.peers import process
from tests.bench.peers.instances import BODY

# The bound of a single run, in seconds.
LONGEST_S = 30
# Beyond this, a request has failed even when an answer would still come, in seconds.
PATIENCE_S = 5


class Failed(Exception):
    """Requests failed where none may, or the generator did."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What wrk saw."""

    requests: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A request of vegeta: when it was sent (seconds since the epoch), how long it took, and what came back."""

    at_s: float
    took_s: float
    status: int
    method: str
    error: str

    @property
    def failed(self) -> bool:
        """Whether it was answered anything but 200."""
        return self.status != 200

    @property
    def reason(self) -> str:
        """Why it failed, short enough to count by: the status, or the last part of the error."""
        return str(self.status) if self.status else self.error.rsplit(": ", 1)[-1].split(" (")[0]


def parse_wrk(text: str) -> Throughput:
    """Read wrk's report; Failed for any answer that is not 2xx and any broken connection."""
    match = re.search(r"(\d+) requests in .*Requests/sec:\s+([\d.]+)", text, re.DOTALL)
    if "Non-2xx" in text or "Socket errors" in text or match is None:
        raise Failed(f"wrk said:\n{text}")
    return Throughput(int(match[1]), float(match[2]))


def wrk(port: int, hosts: Sequence[str], directory: Path, *, connections: int, seconds: int) -> Throughput:
    """Send GETs as fast as they are answered, naming these hosts in turn."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"Host: {hosts[0]}"]
    if len(hosts) > 1:
        script = directory / "hosts.lua"
        names = ", ".join(f'"{host}"' for host in hosts)
        # Made once: formatting each would cost the generator as much as sending it.
        script.write_text(
            f"local requests, n = {{}}, 0\nlocal hosts = {{ {names} }}\n"
            "init = function() for index, host in ipairs(hosts) do "
            'requests[index] = wrk.format("GET", "/", { Host = host }) end end\n'
            "request = function() n = n % #requests + 1 return requests[n] end\n"
        )
        command += ["-s", str(script)]
    with process.on_core(process.GENERATOR_CORE):
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=False, timeout=LONGEST_S + 10
        )
    return parse_wrk(done.stdout + done.stderr)


def parse_hits(lines: Iterable[str]) -> list[Hit]:
    """Read vegeta's results (CSV, see `vegeta encode -h`), in the order in which the requests were sent."""
    hits = [Hit(int(row[0]) / 1e9, int(row[2]) / 1e9, int(row[1]), row[9], row[5]) for row in csv.reader(lines)]
    return sorted(hits, key=lambda hit: hit.at_s)


@dataclass
class Attack:
    """Requests at a fixed rate, half of them POST, over as many connections as there are names of hosts.

    Go's client would send all of a slow rate over one or two connections; each name makes it keep one of its own.
    """

    program: Path
    directory: Path
    port: int
    rate: int
    seconds: int
    connections: int = 100
    hits: list[Hit] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Attack while the block runs, wait for the last answer, and then have the `hits`."""
        results = self.directory / "results.bin"
        with process.on_core(process.GENERATOR_CORE):
            attack = subprocess.Popen(self._command(results), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            yield
            _, said = attack.communicate(timeout=LONGEST_S + PATIENCE_S + 10)
        finally:
            attack.kill()
            attack.wait()
        if attack.returncode:
            raise Failed(f"vegeta ended with {attack.returncode}: {said.decode().strip()}")
        encoded = subprocess.run(
            [self.program, "encode", "--to", "csv", results], capture_output=True, text=True, check=True, timeout=60
        )
        self.hits = parse_hits(encoded.stdout.splitlines())
        results.unlink()

    def run(self) -> list[Hit]:
        """Attack with nothing else to do."""
        with self.running():
            pass
        return self.hits

    def _command(self, results: Path) -> list[str]:
        assert self.seconds <= LONGEST_S, f"a run may take {LONGEST_S} s, got {self.seconds}"
        body, targets = self.directory / "body.json", self.directory / "targets.txt"
        body.write_text(BODY)
        names = [f"c{number}.bench" for number in range(self.connections)]
        blocks = []
        # Round twice, so that every connection carries both methods.
        for turn in range(2):
            for number, name in enumerate(names):
                post = (number + turn) % 2
                method, rest = ("POST", f"\n@{body}") if post else ("GET", "")
                blocks.append(f"{method} http://{name}:80/\nHost: hello.localhost{rest}\n")
        targets.write_text("\n".join(blocks))
        mapped = [f"-connect-to={name}:80:127.0.0.1:{self.port}" for name in names]
        return [
            *(str(self.program), "attack", f"-targets={targets}", f"-rate={self.rate}", f"-duration={self.seconds}s"),
            *(f"-output={results}", "-http2=false", "-redirects=-1", f"-timeout={PATIENCE_S}s", "-max-body=0"),
            *mapped,
        ]


def failures(hits: Sequence[Hit]) -> str:
    """Count what failed, by method and reason, the most frequent first; `0` when nothing did."""
    counted = Counter(f"{hit.method} {hit.reason}" for hit in hits if hit.failed)
    total = sum(counted.values())
    if not total:
        return "0"
    return f"{total} ({', '.join(f'{count} {reason}' for reason, count in counted.most_common(4))})"
