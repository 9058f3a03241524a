"""Benchmark of the gateway's throughput beside bare nginx, with one worker each, over loopback.

Contenders take turns: nginx as a plain proxy, the same with a request log like ours, our gateway with one route and
with 200 routes. wrk sends from 32 keep-alive connections and the body is 100 bytes of JSON. Throughput swings with
whatever else the machine does, so the table also shows the processor time that a request took in the proxy itself.

    .venv/bin/python -m tests.bench.bench_gateway --rounds 5 --seconds 3
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.services.gateway.nginx import Gateway, endpoints, free_ports, make_gateway, service, until

CONNECTIONS = 32
ROUTES = 200
# 100 bytes of JSON.
BODY = '{"message":"hello","padding":"' + "x" * 68 + '"}'
LOG = (
    '\'{"time":"$time_iso8601","unix_s":$msec,"request_id":"$request_id","client":"$remote_addr","host":"$host"'
    ',"method":"$request_method","path":"$uri","status":$status,"bytes_in":$request_length,"bytes_out":$bytes_sent'
    ',"duration_s":$request_time,"instances":"$upstream_addr","connect_s":"$upstream_connect_time"'
    ',"header_s":"$upstream_header_time","response_s":"$upstream_response_time"}\''
)
HEAD = """
daemon off; worker_processes 1; pid {directory}/{name}.pid; error_log {directory}/{name}.error error;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000000; access_log off;
"""


@dataclass
class Contender:
    """A proxy: where it answers, whose workers to watch, and what was measured in each round."""

    name: str
    port: int
    pid: int
    routes: int = 1
    per_second: list[float] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)

    def processor_s(self) -> float:
        """Processor time that its workers have used so far, in seconds."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        ticks = 0
        for child in children:
            fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def run(self, directory: Path, seconds: int) -> None:
        """Send requests for this long and record the throughput; a failed request fails the benchmark."""
        script = directory / "hosts.lua"
        script.write_text(
            "local n = 0\n"
            f"request = function() n = n % {self.routes} + 1\n"
            'return wrk.format("GET", "/", { Host = "s" .. n .. ".localhost" }) end\n'
        )
        began = self.processor_s()
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "-s",
            str(script),
            f"http://127.0.0.1:{self.port}/",
        ]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        used = self.processor_s() - began
        if "Non-2xx" in text or "Socket errors" in text:
            raise SystemExit(f"{self.name}: requests failed:\n{text}")
        match = re.search(r"(\d+) requests in .*Requests/sec:\s+([\d.]+)", text, re.DOTALL)
        if match is None:
            raise SystemExit(f"{self.name}: wrk said:\n{text}")
        self.per_second.append(float(match[2]))
        self.microseconds.append(used / int(match[1]) * 1e6)


@contextmanager
def nginx(directory: Path, name: str, servers: str, port: int) -> Iterator[int]:
    """Run a plain nginx and give the id of its master."""
    path = directory / f"{name}.conf"
    path.write_text(HEAD.format(directory=directory, name=name) + servers + "}\n")
    process = subprocess.Popen(["nginx", "-c", str(path)])
    try:
        until(
            lambda: subprocess.run(["curl", "-so/dev/null", f"http://127.0.0.1:{port}/"]).returncode == 0,
            f"{name} answers",
        )
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def gateway(directory: Path, routes: int, ports: list[int]) -> Iterator[Gateway]:
    """Run our gateway with this many routes to the same two instances."""
    directory.mkdir()
    made = make_gateway(directory, workers=1)
    made.start()
    try:
        numbers = range(1, routes + 1)
        made.push(
            services={f"default/s{number}": service((f"s{number}-1", 100)) for number in numbers},
            hosts={f"s{number}.localhost": f"default/s{number}" for number in numbers},
            endpoints={f"default/s{number}-1": endpoints(*ports) for number in numbers},
        )
        yield made
    finally:
        made.stop()


def proxy(ports: list[int], port: int, extra: str = "") -> str:
    """Configure nginx as a plain proxy to the instances."""
    servers = " ".join(f"server 127.0.0.1:{each};" for each in ports)
    return (
        f"upstream instances {{ {servers} keepalive 256; keepalive_requests 1000000000; }}\n"
        f"server {{ listen 127.0.0.1:{port}; {extra} location / {{ proxy_http_version 1.1;\n"
        f'proxy_set_header Connection ""; proxy_pass http://instances; }} }}\n'
    )


def table(contenders: list[Contender]) -> str:
    """Render a line for each contender: medians, their spread, and the ratio to the first one."""
    lines = [["", "req/s", "(low to high)", "of bare", "us/request", "(low to high)", "of bare"]]
    base = contenders[0]
    for each in contenders:
        speed, price = statistics.median(each.per_second), statistics.median(each.microseconds)
        lines.append(
            [
                each.name,
                f"{speed:,.0f}",
                f"({min(each.per_second):,.0f} to {max(each.per_second):,.0f})",
                f"{speed / statistics.median(base.per_second):.2f}",
                f"{price:.1f}",
                f"({min(each.microseconds):.1f} to {max(each.microseconds):.1f})",
                # The reciprocal, so that both ratios read alike: less time is more throughput.
                f"{statistics.median(base.microseconds) / price:.2f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def measure(directory: Path, rounds: int, seconds: int) -> str:
    """Start every contender, let them take turns and give the table."""
    *ports, bare_port, log_port = free_ports(4)
    listens = " ".join(f"listen 127.0.0.1:{port};" for port in ports)
    origin = f"server {{ {listens} location / {{ default_type application/json; return 200 '{BODY}'; }} }}\n"
    log = f"log_format requests escape=json {LOG};\n"
    extra = (
        f"access_log {directory}/requests.log requests buffer=64k flush=1s; proxy_set_header X-Request-Id $request_id;"
    )
    with (
        nginx(directory, "origin", origin, ports[0]),
        nginx(directory, "bare", proxy(ports, bare_port), bare_port) as bare,
        nginx(directory, "log", log + proxy(ports, log_port, extra), log_port) as logging,
        gateway(directory / "one", 1, ports) as one,
        gateway(directory / "many", ROUTES, ports) as many,
    ):
        contenders = [
            Contender("bare nginx", bare_port, bare),
            Contender("nginx with a log", log_port, logging),
            *(
                Contender(f"gateway, {routes} routes", each.edge_port, each.process.pid, routes)
                for routes, each in ((1, one), (ROUTES, many))
                if each.process
            ),
        ]
        for _ in range(rounds):
            for each in contenders:
                each.run(directory, seconds)
        return table(contenders)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="for each contender in each round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        # Workers of another user must get in.
        Path(directory).chmod(0o755)
        print(measure(Path(directory), arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
