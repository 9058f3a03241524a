"""Instances behind the proxies: nginx processes that answer 100 bytes of JSON, and can be hurt."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers import process
from tests.harness.waiting import until

# 100 bytes of JSON.
BODY = '{"message":"hello","padding":"' + "x" * 68 + '"}'
PARTS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# One process, no master: a signal hits all of it. `worker_connections` holds what a hung proxy may pile up, and a
# thousand ports with the connections that each proxy keeps to them.
CONFIGURATION = """
daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log crit;
events {{ worker_connections 16384; }}
http {{
    {temporary}
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
    server {{
        {listens}
        if (-f {directory}/broken) {{ return 500 '{body}'; }}
        location / {{ default_type application/json; return 200 '{body}'; }}
    }}
}}
"""


class Instance:
    """One process that answers at these ports of 127.0.0.1."""

    def __init__(self, directory: Path, *ports: int) -> None:
        self.directory = directory
        self.ports = ports
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir()
        listens = " ".join(f"listen 127.0.0.1:{port} backlog=4096;" for port in ports)
        temporary = " ".join(f"{part}_temp_path {directory}/{part};" for part in PARTS)
        text = CONFIGURATION.format(directory=directory, listens=listens, temporary=temporary, body=BODY)
        (directory / "nginx.conf").write_text(text)

    def start(self) -> None:
        """Start answering; returns when it does."""
        self.heal()
        command = ["nginx", "-c", self.directory / "nginx.conf"]
        self.process = process.start(command, process.GENERATOR_CORE, self.directory / "output.log")
        until(lambda: answers(self.ports[0]), f"the instance at {self.ports[0]} answers")

    def stop(self) -> None:
        """End it as the orchestrator ends an instance: SIGTERM."""
        if self.process:
            # A stopped process takes its SIGTERM only when it goes on.
            self.process.send_signal(signal.SIGCONT)
            process.stop(self.process)
            self.process = None

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def hang(self) -> None:
        """Stop it: the kernel still accepts connections, and nobody reads them."""
        self._signal(signal.SIGSTOP)

    def fail(self) -> None:
        """Let it answer 500 from now on."""
        (self.directory / "broken").touch()

    def heal(self) -> None:
        """Let a hung or failing instance answer again; a killed one needs `start`."""
        (self.directory / "broken").unlink(missing_ok=True)
        if self.process:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None, "the instance was not started"
        self.process.send_signal(number)


def answers(port: int, host: str = "hello.localhost") -> bool:
    """Ask once whether 200 is answered at a port."""
    asked = subprocess.run(
        [
            "curl",
            "-so",
            "/dev/null",
            "-m",
            "1",
            "-w",
            "%{http_code}",
            "-H",
            f"Host: {host}",
            f"http://127.0.0.1:{port}",
        ],
        capture_output=True,
        check=False,
    )
    return asked.stdout == b"200"


def start_all(directory: Path, groups: Sequence[Sequence[int]]) -> list[Instance]:
    """Start an instance for each group of ports."""
    instances = [Instance(directory / f"instance-{ports[0]}", *ports) for ports in groups]
    for each in instances:
        each.start()
    return instances
