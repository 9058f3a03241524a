"""A team: a repository of its own, worked in by typing `runyard` alone, with data that no other test has."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runyard import names
from runyard.pulumi.backend import file_backend, list_stacks
from tests.harness.ports import StackPorts, stack_ports
from tests.harness.stack import ROOT, docker

# What Pulumi, gRPC and its SDK say around a reason, which helps nobody.
NOISE = ("unhandled error", "Exception calling application", "provider2.go", "context canceled", "Traceback")


class Team:
    """A repository, the stack that it is for, and data that no other test has."""

    def __init__(self, directory: Path, ports: StackPorts) -> None:
        self.directory = directory / "team shop"
        self.data = directory / "its data"
        self.ports = ports
        # Whose `runyard` is typed.
        self.checkout = ROOT
        self.stack = f"e2e{ports.edge}"
        own = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
        self.environment = {name: value for name, value in os.environ.items() if name not in own}
        self.environment |= {"RUNYARD_DATA": str(self.data), "RUNYARD_STACK": self.stack, "NO_COLOR": "1"}

    def type(self, line: str, *, fails_with: int = 0, where: str = ".") -> str:
        """Type a line of commands in the repository, where `runyard` is on PATH, and give what a user sees."""
        environment = {**self.environment, "PATH": f"{self.checkout}/.venv/bin:{self.environment['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.directory / where,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == fails_with, f"{line} ended with {done.returncode}\n{said}"
        assert [each for each in NOISE if each in said] == [], said
        return said

    def stacks(self) -> list[str] | None:
        return list_stacks(file_backend(self.data / "state"))

    def left_on_host(self) -> str:
        listed = [("ps", "--all"), ("network", "ls"), ("volume", "ls")]
        return "".join(docker(*each, *self.label, "--quiet") for each in listed)

    @property
    def label(self) -> tuple[str, str]:
        """What has Docker list what is the stack's."""
        return "--filter", f"label={names.STACK}={self.stack}"

    def platform(self, **spec: Any) -> None:
        """Write the Platform, at this stack's ports."""
        gateway = {"port": self.ports.edge, **spec.pop("gateway", {})}
        document = {"apiVersion": "runyard.dev/v1", "kind": "Platform", "metadata": {"name": "platform"}}
        spec = {"gateway": gateway, "orchestratorPort": self.ports.orchestrator, **spec}
        self.write("platform", {**document, "spec": spec})

    def write(self, name: str, manifest: dict[str, Any]) -> None:
        # JSON is YAML.
        (self.directory / "manifests" / f"{name}.yaml").write_text(json.dumps(manifest))


@contextlib.contextmanager
def new_team(directory: Path, checkout: Path = ROOT) -> Iterator[Team]:
    """Give a team whose repository `runyard init` of a checkout has begun, and take its stack down afterwards."""
    made = Team(directory, stack_ports())
    made.checkout = checkout
    assert made.left_on_host() == ""
    subprocess.run([f"{checkout}/.venv/bin/runyard", "init", made.directory], env=made.environment, check=True)
    made.platform()
    try:
        yield made
    finally:
        if made.stacks():
            made.type("runyard down")
        kept = docker("volume", "ls", "--quiet", *made.label, "--filter", f"label={names.ROLE}={names.ROLE_DATA}")
        for volume in kept.split():
            docker("volume", "rm", volume)
    assert made.left_on_host() == ""
