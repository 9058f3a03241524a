"""The billing service as a program of its own, on a real Postgres and the port of a spool."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard.ask import ask
from runyard.codec import encode
from runyard.pricing.settings import BillingSettings
from tests.harness.ports import free_port
from tests.harness.waiting import until
from tests.unit.checkout import ROOT
from tests.unit.services.billing.world import BOOK


@dataclass
class Program:
    """A running service."""

    port: int
    directory: Path
    process: subprocess.Popen[str]

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, Mapping[str, str]]:
        """Read from the exporter: status, body, and headers with names in lower case."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def ask(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        """Ask the control socket: status, and the answer as data."""
        text = json.dumps(body) if body is not None else ""
        status, answer = ask(str(self.directory / "control.sock"), method, target, text)
        return status, json.loads(answer)

    def serves(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[0]
        return self.get("/healthz")[0] == 200 and (self.directory / "control.sock").exists()

    def resident_bytes(self) -> int:
        """Tell what it has of memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [each for each in status.splitlines() if each.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024


@contextmanager
def running(directory: Path, database: str, meter: int, **more: str) -> Iterator[Program]:
    """Run the service until the end of the block; more of its environment by name."""
    environment = {
        **{"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "DATABASE_URL": database},
        **{"RUNYARD_BILLING_DIRECTORY": str(directory), "RUNYARD_METER_ADDRESS": f"127.0.0.1:{meter}"},
        "RUNYARD_STATEMENTS_SOCKET": str(directory / "statements.sock"),
        "RUNYARD_RESTRICTIONS_SOCKET": str(directory / "restrictions.sock"),
        "RUNYARD_BILLING": encode(BillingSettings("acme", BOOK, ("shop/web/web-2",))),
        **more,
    }
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.billing"],
        cwd=ROOT,
        env={**environment, "RUNYARD_HTTP_ADDRESS": f"127.0.0.1:{port}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    program = Program(port, directory, process)
    try:
        until(program.serves, "billing serves")
        yield program
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
