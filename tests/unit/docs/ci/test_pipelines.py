"""Ready CI files: their steps are run, one by one as the forges run them, in a scratch repository with a pull request.

Runyard, git, the shell and the Makefile are real. Stand-ins of a few lines take the place of the toolchain, which would
start an engine, of Pulumi, and of the forges' own clients; they write down what they were asked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runyard.review.text import TAG
from tests.unit.checkout import ROOT

# Each step starts a process or two: half a minute in all.
pytestmark = pytest.mark.slow
CI = ROOT / "docs" / "ci"
SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: web}
spec: {template: {spec: {timeoutSeconds: %s, containers: [{image: "shop/web@sha256:%s"%s}]}}}
"""
DIGEST = "0" * 64
SECRET = ", env: [{name: DB_PASSWORD, value: hunter2}]"
STAND_INS = {
    "toolchain/bootstrap": 'echo "bootstrap $@ RUNYARD" >> "$ASKED"; [ "$1" != run ] || { shift 2; exec "$@"; }',
    ".venv/bin/runyard": f'exec {sys.executable} -m runyard.cli.main "$@"',
    ".venv/bin/python": f'exec {sys.executable} "$@"',
    "programs/gh": 'echo "gh $@" >> "$ASKED"; case "$*" in *--slurp*) printf "%s" "$COMMENTS_JSON" ;; esac',
    "programs/curl": """echo "curl $@" >> "$ASKED"
case "$*" in
*/user) echo '{"id": 9}' ;;
*page=1) printf "%s" "$NOTES_JSON" ;;
*page=2) printf "%s" "$MORE_NOTES_JSON" ;;
*page=*) echo '[]' ;;
esac""",
    "programs/pulumi": """case "$*" in
*"stack export"*) echo '{"deployment": {"resources": []}}' ;;
*"config --show-secrets"*) echo '{}' ;;
*) echo '{"steps": []}' ;;
esac""",
}


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    ).stdout.strip()


class Scratch:
    """A repository with two commits on main, and the environment of a job in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name, body in STAND_INS.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        (directory / "Makefile").write_text((ROOT / "Makefile").read_text())
        (directory / ".gitignore").write_text("/.venv\n/programs\n/toolchain\n/asked\n")
        git(directory, "init", "-q")
        self.base, self.head = self.commit(300), self.commit(60)
        self.environment = {
            **os.environ,
            "PATH": f"{directory}/programs:{os.environ['PATH']}",
            "ASKED": str(directory / "asked"),
            "COMMENTS_JSON": "[]",
            "NOTES_JSON": "[]",
            "MORE_NOTES_JSON": "[]",
            "PYTHONPATH": str(ROOT),
        }

    def commit(self, timeout_s: int, more: str = "") -> str:
        file = self.directory / "manifests" / "web.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(SERVICE % (timeout_s, DIGEST, more))
        git(self.directory, "add", "-A")
        git(self.directory, "commit", "-q", "-m", "x")
        return git(self.directory, "rev-parse", "HEAD")

    def run(self, script: str, **environment: str) -> int:
        """Run a step as GitHub's runner does, which is as GitLab's does: bash that ends at the first failure."""
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=self.directory, env=self.environment | environment, capture_output=True, text=True, check=False
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    def asked(self, program: str) -> list[str]:
        file = self.directory / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(program)]


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path)


def workflow() -> dict[str, Any]:
    return yaml.safe_load((CI / "github-actions.yaml").read_text())


def pipeline() -> dict[str, Any]:
    return yaml.safe_load((CI / "gitlab-ci.yaml").read_text())


def github_steps(job: str, scratch: Scratch) -> Iterator[tuple[str, dict[str, str]]]:
    """Give each script of a job and its environment, with GitHub's expressions replaced."""
    facts = {
        "github.event.pull_request.base.sha": scratch.base,
        "github.event.pull_request.number": "7",
        "github.event.before": scratch.base,
        "github.sha": scratch.head,
        "github.repository": "shop/platform",
        "github.token": "t",
    }
    given = workflow()["jobs"][job]
    environment = {
        key: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: facts[found[1]], value)
        for key, value in given.get("env", {}).items()
    }
    for step in given["steps"]:
        if "run" in step:
            yield step["run"], environment


def gitlab_steps(job: str, scratch: Scratch) -> Iterator[tuple[str, dict[str, str]]]:
    facts = {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": scratch.base,
        "CI_COMMIT_BEFORE_SHA": scratch.base,
        "CI_COMMIT_SHA": scratch.head,
        "CI_API_V4_URL": "http://forge/api",
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "RUNYARD_TOKEN": "t",
    }
    given = pipeline()[job]
    variables = {
        key: re.sub(r"\$(\w+)", lambda found: facts[found[1]], value)
        for key, value in given.get("variables", {}).items()
    }
    for script in given["script"]:
        yield script, facts | variables


FORGES = {"github": github_steps, "gitlab": gitlab_steps}


def comment(number: int, author: str, body: str = f"{TAG}\n") -> dict[str, Any]:
    kind = "Bot" if author.endswith("[bot]") else "User"
    return {"id": number, "user": {"login": author, "type": kind}, "body": body}


def note(number: int, author: int, body: str = f"{TAG}\n") -> dict[str, Any]:
    return {"id": number, "author": {"id": author}, "body": body}


# Somebody else's with the mark, and our own without it or with it further below, come first in each forge's answer.
COMMENTS = [
    [comment(11, "mallory"), comment(12, "helper[bot]"), comment(13, "github-actions[bot]", f"hi\n{TAG}")],
    [comment(41, "github-actions[bot]"), comment(42, "github-actions[bot]")],
]
NOTES = ([note(11, 8), note(12, 8, "hi")], [note(13, 9, f"hi\n{TAG}"), note(41, 9), note(42, 9)])
FOUND = {
    "COMMENTS_JSON": json.dumps(COMMENTS),
    "NOTES_JSON": json.dumps(NOTES[0]),
    "MORE_NOTES_JSON": json.dumps(NOTES[1]),
}
# What nobody of the workflow's own wrote.
FORGED = {
    "COMMENTS_JSON": json.dumps([[comment(11, "mallory"), comment(12, "helper[bot]")]]),
    "NOTES_JSON": json.dumps(NOTES[0]),
}


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_review_of_an_allowed_change_writes_its_reports_and_one_comment(forge: str, scratch: Scratch) -> None:
    for _ in range(2):
        for script, environment in FORGES[forge]("review", scratch):
            assert scratch.run(script, **environment) == 0, f"{script}\n{scratch.said}"
        scratch.environment |= FOUND
    assert (scratch.directory / "review.md").read_text().startswith(TAG)
    assert json.loads((scratch.directory / "review.sarif").read_text())["version"] == "2.1.0"
    posts = [line for line in scratch.asked("gh") + scratch.asked("curl") if "body" in line]
    if forge == "github":
        assert posts == [
            "gh api --silent --method POST repos/shop/platform/issues/7/comments --field body=@review.md",
            "gh api --silent --method PATCH repos/shop/platform/issues/comments/41 --field body=@review.md",
        ]
    else:
        base = "http://forge/api/projects/3/merge_requests/7/notes"
        start = "curl --fail --silent --show-error --header PRIVATE-TOKEN: t --request"
        assert posts == [
            f"{start} POST --data-urlencode body@review.md {base}",
            f"{start} PUT --data-urlencode body@review.md {base}/41",
        ]


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_comment_with_the_mark_that_somebody_else_wrote_is_left_alone(forge: str, scratch: Scratch) -> None:
    scratch.environment |= FORGED
    for script, environment in FORGES[forge]("review", scratch):
        assert scratch.run(script, **environment) == 0, f"{script}\n{scratch.said}"
    written = [line for line in scratch.asked("gh") + scratch.asked("curl") if "body" in line]
    assert len(written) == 1
    assert "POST" in written[0]


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_review_of_a_refused_change_comments_and_then_fails(forge: str, scratch: Scratch) -> None:
    scratch.head = scratch.commit(60, SECRET)
    codes = [scratch.run(script, **environment) for script, environment in FORGES[forge]("review", scratch)]
    assert codes == [0] * (len(codes) - 1) + [5]
    assert (
        "hunter2"
        not in (scratch.directory / "review.md").read_text() + (scratch.directory / "review.sarif").read_text()
    )


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_review_of_an_invalid_change_fails_before_it_comments(forge: str, scratch: Scratch) -> None:
    scratch.head = scratch.commit(-1)
    codes = [scratch.run(script, **environment) for script, environment in FORGES[forge]("review", scratch)]
    assert codes[:2] == [0, 2]


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_main_is_planned_and_then_applied_with_that_plan(forge: str, scratch: Scratch) -> None:
    for job in ("plan", "apply"):
        for script, environment in FORGES[forge](job, scratch):
            assert scratch.run(script, **environment) == 0, f"{script}\n{scratch.said}"
    assert json.loads((scratch.directory / "plan.json").read_text())["stack"] == "prod"
    assert scratch.asked("bootstrap")[-1] == "bootstrap up --stack prod --manifests manifests --plan plan.json RUNYARD"


def test_plan_goes_from_job_to_job_by_its_name() -> None:
    uploads = [
        step["with"] for step in workflow()["jobs"]["plan"]["steps"] if "upload-artifact" in step.get("uses", "")
    ]
    downloads = [step["with"] for step in workflow()["jobs"]["apply"]["steps"] if "download" in step.get("uses", "")]
    assert uploads == [{"name": "plan", "path": "plan.json"}]
    assert downloads == [{"name": "plan"}]
    assert pipeline()["plan"]["artifacts"]["paths"] == ["plan.json"]


def test_sarif_that_is_uploaded_is_what_was_written() -> None:
    (upload,) = [
        step["with"] for step in workflow()["jobs"]["review"]["steps"] if "upload-sarif" in step.get("uses", "")
    ]
    assert upload["sarif_file"] == "review.sarif"


def test_hook_of_pre_commit_checks_all_manifests(scratch: Scratch) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("runyard-validate", "python", False)
    assert re.search(hook["files"], "manifests/shop/web.yaml")
    assert not re.search(hook["files"], "docs/web.yaml")
    entry = f".venv/bin/{hook['entry']} {' '.join(hook['args'])}"
    assert scratch.run(entry) == 0, scratch.said
    scratch.commit(-1)
    assert scratch.run(entry) == 2
    assert "manifests/web.yaml:4:" in scratch.said
