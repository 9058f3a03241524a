"""Commands `up`, `preview` and `down`, as far as the toolchain: a program in its place writes down what it is asked."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.checkout import ROOT

NOTE = '#!/bin/sh\nprintf "%s\\n" "$@"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of a checkout that has nothing but the packages of this one, and a toolchain that writes down."""
    checkout = tmp_path / "checkout"
    (checkout / "toolchain").mkdir(parents=True)
    for package in ("runyard", "policies"):
        (checkout / package).symlink_to(ROOT / package)
    (checkout / "toolchain" / "bootstrap").write_text(NOTE)
    (checkout / "toolchain" / "bootstrap").chmod(0o755)
    made = tmp_path / "my shop"
    (made / "manifests").mkdir(parents=True)
    (made / "Pulumi.yaml").write_text("name: runyard\nconfig:\n  runyard:manifests:\n    value: manifests\n")
    return made


def run(
    project: Path, *words: str, where: str = ".", answer: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runyard.cli.main", *words]
    environment = {**os.environ, "PYTHONPATH": str(project.parent / "checkout"), "PYTHONSAFEPATH": "1", **variables}
    leader = follower = -1
    if answer is not None:
        leader, follower = pty.openpty()
        os.write(leader, answer.encode())
    try:
        return subprocess.run(
            command,
            cwd=project / where,
            env=environment,
            stdin=subprocess.DEVNULL if answer is None else follower,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for each in (leader, follower):
            if each >= 0:
                os.close(each)


def asked(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_up_takes_the_manifests_of_the_settings_from_any_directory_of_the_project(project: Path) -> None:
    expected = ["up", "--project", str(project), "--stack", "dev", "--manifests", "manifests", "--as-set"]
    assert asked(run(project, "up")) == expected
    assert asked(run(project, "deploy", where="manifests")) == expected


def test_files_are_named_from_the_project_on_where_they_lie_in_it(project: Path) -> None:
    given = asked(run(project, "plan", "-f", "a.yaml", "-f", "/else/b", "-s", "test", where="manifests"))
    assert given == ["preview", "--project", str(project), "--stack", "test", "--manifests", "manifests/a.yaml,/else/b"]


def test_options_are_variables_too_and_reach_the_toolchain(project: Path) -> None:
    given = asked(run(project, "preview", "--expect-no-changes", "--force", RUNYARD_STACK="pr-1"))
    assert given[:7] == ["preview", "--project", str(project), "--stack", "pr-1", "--expect-no-changes", "--force"]
    (project / "plan.json").touch()
    given = asked(run(project, "up", "-v", "--plan", "plan.json", "--", "--target", "x"))
    assert given[5:8] == ["--plan", str(project / "plan.json"), "--verbose"]
    assert given[-3:] == ["--", "--target", "x"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("up", "-f", "a,b"), "--file: must be without a comma, which separates paths in settings, got 'a,b'"),
        (("down", "-s", "prod"), "down: stack prod is production's, and nobody can be asked: --yes must be given"),
    ],
)
def test_what_cannot_be_done_is_refused(project: Path, words: tuple[str, ...], error: str) -> None:
    done = run(project, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {error}\n")


def test_directory_of_no_project_is_refused_with_the_way_out(project: Path) -> None:
    done = run(project, "up", where="..")
    assert (done.returncode, done.stderr) == (
        2, f"error: up: {project.parent} is in no project of Runyard's: `runyard init` makes one\n",
    )  # fmt: skip


def test_project_without_manifests_is_refused_where_none_are_given(project: Path) -> None:
    (project / "Pulumi.yaml").write_text("name: runyard\n")
    done = run(project, "up")
    assert (done.returncode, done.stderr) == (
        2, f"error: up: must be given manifests: --file PATH, or `runyard:manifests` in {project}/Pulumi.yaml\n",
    )  # fmt: skip
    assert asked(run(project, "up", "-f", "manifests"))[-1] == "manifests"


@pytest.mark.parametrize("verb", ["up", "destroy"])
def test_production_is_changed_when_a_user_at_a_terminal_says_so(project: Path, verb: str) -> None:
    agreed, refused = (run(project, verb, "-s", "eu-prod", answer=answer) for answer in ("y\n", "n\n"))
    assert "eu-prod" in agreed.stdout.splitlines()
    assert (refused.returncode, "--project" in refused.stdout) == (8, False)


def test_yes_and_another_stack_are_asked_nothing(project: Path) -> None:
    assert asked(run(project, "down", "-s", "prod", "--yes")) == ["down", "--project", str(project), "--stack", "prod"]
    assert asked(run(project, "down")) == ["down", "--project", str(project), "--stack", "dev"]
    assert "prod" in asked(run(project, "up", "-s", "prod"))
