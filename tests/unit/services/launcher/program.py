"""The launcher as a program: what is handed to it, and how its command ended."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.waiting import PATIENCE_S

SOURCE = Path(__file__).parents[4] / "services" / "launcher"
# What the launcher itself is given: no variable of the machine that the tests run on.
VARIABLES = {"PATH": "/usr/bin:/bin", "GREETING": "from the container"}


def delivery(environment: Mapping[str, str] | None = None, *files: Mapping[str, Any]) -> bytes:
    """Write what the orchestrator sends."""
    return json.dumps({"environment": dict(environment or {}), "files": list(files)}).encode()


def file(path: Path | str, content: bytes = b"", mode: int = 0o444) -> dict[str, Any]:
    """Write one file of a delivery."""
    return {"path": str(path), "mode": mode, "content": base64.b64encode(content).decode()}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    error: str


@dataclass(frozen=True)
class Launcher:
    """A built launcher."""

    binary: Path

    def run(
        self,
        *command: str,
        given: bytes | None = None,
        variables: Mapping[str, str] = VARIABLES,
        directory: Path | None = None,
    ) -> Ended:
        """Launch a command to its end; without `given`, an empty delivery is."""
        ended = subprocess.run(
            [self.binary, "--", *command],
            input=delivery() if given is None else given,
            capture_output=True,
            env=dict(variables),
            cwd=directory,
            timeout=PATIENCE_S,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Launch a command and give its process, whose standard input waits for the delivery."""
        return subprocess.Popen(
            [self.binary, "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(VARIABLES),
        )
