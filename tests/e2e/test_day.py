"""A team's own repository, with a space in its name: begun, brought up, looked at and taken down by `runyard` alone."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.pulumi.backend import file_backend, list_stacks
from tests.harness.client import ask
from tests.harness.ports import StackPorts, stack_ports
from tests.harness.stack import ROOT, docker, service

# What Pulumi, gRPC and its SDK say around a reason, which helps nobody.
NOISE = ("unhandled error", "Exception calling application", "provider2.go", "context canceled", "Traceback")


class Team:
    """A repository, the stack that it is for, and data that no other test has."""

    def __init__(self, directory: Path, ports: StackPorts) -> None:
        self.directory = directory / "team shop"
        self.data = directory / "its data"
        self.ports = ports
        self.stack = f"e2e{ports.edge}"
        own = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
        self.environment = {name: value for name, value in os.environ.items() if name not in own}
        self.environment |= {"RUNYARD_DATA": str(self.data), "RUNYARD_STACK": self.stack, "NO_COLOR": "1"}

    def type(self, line: str, *, fails_with: int = 0, where: str = ".") -> str:
        """Type a line of commands in the repository, where `runyard` is on PATH, and give what a user sees."""
        environment = {**self.environment, "PATH": f"{ROOT}/.venv/bin:{self.environment['PATH']}"}
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
        label = f"label=runyard.dev/stack={self.stack}"
        listed = [("ps", "--all"), ("network", "ls"), ("volume", "ls")]
        return "".join(docker(*each, "--filter", label, "--quiet") for each in listed)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    made = Team(tmp_path_factory.mktemp("day"), stack_ports())
    made.directory.parent.mkdir(exist_ok=True)
    assert made.left_on_host() == ""
    subprocess.run([f"{ROOT}/.venv/bin/runyard", "init", made.directory], env=made.environment, check=True)
    spec = {"gateway": {"port": made.ports.edge}, "orchestratorPort": made.ports.orchestrator}
    platform = {"apiVersion": "runyard.dev/v1", "kind": "Platform", "metadata": {"name": "platform"}, "spec": spec}
    (made.directory / "manifests" / "platform.yaml").write_text(json.dumps(platform))
    try:
        yield made
    finally:
        if made.stacks():
            made.type("runyard down")
    assert made.left_on_host() == ""


def test_day_of_a_team_in_a_repository_of_its_own(team: Team) -> None:
    before = team.type("git init --quiet && git add --all && git status --short")
    assert "Pulumi.yaml" in before
    assert ".runyard\n" not in before

    assert f"stack {team.stack} is not there yet" in team.type("runyard preview")
    assert (team.stacks(), (team.directory / "stacks").exists()) == ([], False)

    shown = team.type("runyard up").splitlines()
    address = f"http://hello.localhost:{team.ports.edge}/"
    assert shown[-1] == f"hello: {address}"
    (ready,) = (each for each in shown if each.startswith("hello ✓ ready "))
    assert ready.endswith(" s → 100 %")
    assert ask(team.ports.edge, "/", headers={"Host": "hello.localhost"}).json()["service"] == "hello"

    team.type("runyard preview --expect-no-changes", where="manifests")
    # As Pulumi's own users type it, with what the toolchain has written down for their shell.
    team.type(
        f". {shlex.quote(str(team.data / 'env'))} && "
        f"pulumi preview --stack {team.stack} --policy-pack .runyard/policies --expect-no-changes"
    )


def test_service_that_fails_is_told_where_it_fails_and_last(team: Team) -> None:
    bad = team.directory / "manifests" / "bad.yaml"
    bad.write_text(json.dumps(service("bad", image="runyard.invalid/none:1")))
    shown = team.type("runyard up", fails_with=1).splitlines()
    failed = next(number for number, each in enumerate(shown) if each.startswith("bad ✗ failed"))
    assert shown[failed + 1].startswith("error: bad: pull runyard.invalid/none:1: ")
    assert shown[-1] == "up: failed: bad; what does not depend on them was carried out"
    bad.unlink()


def test_another_repository_does_not_take_the_stack_over(team: Team) -> None:
    team.type("runyard init ../other")
    refused = team.type("runyard up", where="../other", fails_with=2)
    assert f"stack {team.stack}: must be of this repository" in refused


def test_stack_that_is_not_there_is_refused_with_those_that_are(team: Team) -> None:
    refused = team.type("runyard down --stack nosuch", fails_with=1)
    assert refused == f"error: stack nosuch: must be one of those that are there ({', '.join(team.stacks() or ())})\n"
