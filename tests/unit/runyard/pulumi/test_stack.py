"""Stack source: what Pulumi is asked, which of its failures refuse, and that the stack's own files stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runyard.errors import HostError, PolicyError, UsageError
from runyard.pulumi.stack import StackSource


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pulumi of a few lines, first on PATH, that runs the program in `body`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return programs / "pulumi"


def write(pulumi: Path, body: str) -> None:
    pulumi.write_text(f"#!/bin/sh\n{body}\n")
    pulumi.chmod(0o755)


def test_preview_asks_the_pack_and_leaves_the_stacks_configuration(pulumi: Path, tmp_path: Path) -> None:
    config = tmp_path / "stack.yaml"
    config.write_text("encryptionsalt: v1:x\n")
    # Pulumi writes what -c sets into the file that it is given: here the seventh argument.
    write(pulumi, f'echo "$@" > {tmp_path}/asked; cat "$6" > {tmp_path}/seen; echo written >> "$6"; echo "{{}}"')
    assert StackSource("dev", str(config)).preview([Path("/a"), Path("/b")]) == "{}\n"
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:5] == ["--non-interactive", "preview", "--policy-pack", "policies", "--config-file"]
    assert asked[6:] == ["-c", "runyard:manifests=/a,/b", "--json", "--stack", "dev"]
    assert (tmp_path / "seen").read_text() == config.read_text() == "encryptionsalt: v1:x\n"


def test_preview_judges_budgets_on_the_reviews_usage(pulumi: Path, tmp_path: Path, monkeypatch: Any) -> None:
    write(pulumi, f'echo "$@" > {tmp_path}/asked; echo "{{}}"')
    monkeypatch.chdir(tmp_path)
    StackSource("dev", usage_file="usage.yaml").preview([Path("/a")])
    asked = (tmp_path / "asked").read_text()
    assert f"-c runyard:manifests=/a -c runyard:usage={tmp_path}/usage.yaml --json" in asked


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("error: policies refuse the change, nothing was touched:", PolicyError),
        ("  - [mandatory]  not-privileged  (docker:index/container:Container: bad)", PolicyError),
        ("error: no such stack", HostError),
    ],
)
def test_preview_that_fails_says_why_and_shows_no_state(pulumi: Path, said: str, kind: type[Exception]) -> None:
    write(pulumi, f'case "$*" in *--json*) echo \'{{"steps": "canary"}}\' ;; *) echo "{said}" ;; esac; exit 255')
    with pytest.raises(kind) as caught:
        StackSource("dev").preview([Path("/a")])
    assert type(caught.value) is kind
    assert str(caught.value) == f"preview stack dev:\n{said}"


def test_export_that_fails_says_why(pulumi: Path) -> None:
    write(pulumi, "echo 'error: incorrect passphrase' >&2; exit 255")
    with pytest.raises(HostError, match=r"^export stack dev:\nerror: incorrect passphrase$"):
        StackSource("dev").export()


def test_without_pulumi_the_way_to_it_is_told(pulumi: Path) -> None:
    with pytest.raises(UsageError, match=r"toolchain/bootstrap run -- runyard …"):
        StackSource("dev").export()
