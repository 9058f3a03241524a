"""A team's own repository, with a space in its name: begun, brought up, looked at and taken down by `runyard` alone."""

from __future__ import annotations

import os
import re
import shlex
import socket
from collections.abc import Iterator

import pytest

from tests.harness.client import ask
from tests.harness.stack import service
from tests.harness.team import Team, new_team


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with new_team(tmp_path_factory.mktemp("day")) as made:
        yield made


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
    team.write("bad", service("bad", image="runyard.invalid/none:1"))
    shown = team.type("runyard up", fails_with=1).splitlines()
    failed = next(number for number, each in enumerate(shown) if each.startswith("bad ✗ failed"))
    assert shown[failed + 1].startswith("error: bad: pull runyard.invalid/none:1: ")
    assert shown[-1] == "up: failed: bad; what does not depend on them was carried out"
    (team.directory / "manifests" / "bad.yaml").unlink()


def test_port_that_another_program_has_is_named_before_anything_is_made(team: Team) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        team.platform(orchestratorPort=port)
        refused = team.type("runyard up", fails_with=1)
    assert re.search(rf"127\.0\.0\.1:{port} for orchestrator: \S+ \(process {os.getpid()}\) listens there", refused)
    assert refused.splitlines()[-1] == "up: refused, nothing was changed"
    team.platform()


def test_another_repository_does_not_take_the_stack_over(team: Team) -> None:
    team.type("runyard init ../other")
    refused = team.type("runyard up", where="../other", fails_with=2)
    assert f"stack {team.stack}: must be of this repository" in refused


def test_stack_that_is_not_there_is_refused_with_those_that_are(team: Team) -> None:
    refused = team.type("runyard down --stack nosuch", fails_with=1)
    assert refused == f"error: stack nosuch: must be one of those that are there ({', '.join(team.stacks() or ())})\n"
