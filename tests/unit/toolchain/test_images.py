from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from runyard.images import image_reference
from tests.unit.toolchain.conftest import WriteProgram
from toolchain import pins
from toolchain.base import BaseImage
from toolchain.cache import Cache
from toolchain.gobuild import Go
from toolchain.images import ImageBuilder, unasked
from toolchain.nodebuild import Node
from toolchain.step import Steps

CATALOG = """
plain:
  dockerfile: plain/Dockerfile
  inputs: [plain]
  arguments: {VERSION: "2"}
  tags: ["1"]
program:
  dockerfile: program/Dockerfile
  inputs: [program]
  prepare: [{kind: go-binary, source: program, package: example.org/app, into: workload}]
library:
  dockerfile: library/Dockerfile
  inputs: [library]
  prepare:
    - {kind: python-wheels, source: library/requirements.txt, into: site-packages, python: "3.11"}
    - {kind: go-binary, source: program, into: launch}
"""
# An engine that keeps the names of its images and, for each build, a copy of the context.
DOCKER = """case "$1" in
image) [ -e "{store}/$(echo "$5" | tr /: __)" ] ;;
build) for last; do :; done
  echo "$@" >> {store}/builds
  [ -e "$last/fail" ] && {{ echo "no space left"; exit 1; }}
  cp -r "$last" "{store}/$(echo "$3" | tr /: __)" ;;
tag) echo "$2 $3" >> {store}/tags ;;
esac"""
GO = """case "$1" in
version) echo go version go1.26.0 linux/amd64 ;;
build) while [ "$1" != -o ]; do shift; done; echo program $3 > "$2" ;;
esac"""
# Stands in for `python -m pip install --target DIR ...`.
PYTHON = """echo "$@" >> {store}/pip
echo wheel > "$5/wheel.py" """


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    directory = tmp_path / "engine"
    directory.mkdir()
    (directory / "debian_bookworm-slim").mkdir()
    return directory


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "images").mkdir(parents=True)
    (root / "images" / "catalog.yaml").write_text(CATALOG)
    for name in ("plain", "program", "library"):
        (root / name).mkdir()
        (root / name / "Dockerfile").write_text("FROM scratch\n")
    (root / "library" / "requirements.txt").write_text("aiohttp==1 --hash=sha256:0\n")
    (root / "elsewhere").write_text("not an input")
    return root


@pytest.fixture
def builder(
    steps: Steps,
    store: Cache,
    variables: dict[str, str],
    checkout: Path,
    engine: Path,
    tmp_path: Path,
    program: WriteProgram,
) -> ImageBuilder:
    program("docker", DOCKER.format(store=engine))
    program("go", GO)
    python = program("python", PYTHON.format(store=engine))
    go = Go(steps, store, variables, "1.26", "1.26.6", tmp_path / "python", usual_place=tmp_path / "none")
    base = BaseImage(steps, store, variables, pins.load())
    node = Node(steps, store, variables, "20.19", "22.20.0", tmp_path / "python")
    return ImageBuilder(steps, store, variables, checkout, python, go, node, base)


@pytest.fixture
def context(engine: Path, checkout: Path) -> Callable[[str], dict[str, str]]:
    """Read the context that an image was built from: path to content."""

    def read(name: str) -> dict[str, str]:
        root = engine / image_reference(name, checkout).replace("/", "_").replace(":", "_")
        return {str(each.relative_to(root)): each.read_text() for each in sorted(root.rglob("*")) if each.is_file()}

    return read


def test_images_are_built_from_their_inputs_and_nothing_else(
    builder: ImageBuilder, context: Callable[[str], dict[str, str]]
) -> None:
    builder.bring()
    assert context("plain") == {"plain/Dockerfile": "FROM scratch\n"}
    assert context("program") == {"program/Dockerfile": "FROM scratch\n", "workload": "program example.org/app\n"}
    assert context("library") == {
        "library/Dockerfile": "FROM scratch\n",
        "library/requirements.txt": "aiohttp==1 --hash=sha256:0\n",
        "launch": "program .\n",
        "site-packages/wheel.py": "wheel\n",
    }


def test_images_that_nobody_asked_for_are_not_built(builder: ImageBuilder, engine: Path) -> None:
    builder.bring({"program"})
    built = [line.split()[2].split(":")[0] for line in (engine / "builds").read_text().splitlines()]
    assert sorted(built) == ["runyard/library", "runyard/plain"]


def test_parts_that_a_platform_does_without_are_unasked(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("apiVersion: runyard.dev/v1\nkind: Platform\nmetadata: {name: default}\nspec: {}\n")
    assert {"alertmanager", "logs", "meter", "prometheus", "postgres", "billing", "console"} == unasked(str(file))
    file.write_text(file.read_text().replace("{}", "{observability: {level: basic}}"))
    assert {"logs", "postgres", "billing", "console"} == unasked(str(file))
    file.write_text("kind: [")
    assert "prometheus" in unasked(str(file))


def test_images_that_are_there_are_not_built_again(builder: ImageBuilder, engine: Path, words: io.StringIO) -> None:
    builder.bring()
    builds = (engine / "builds").read_text()
    words.truncate(0)
    words.seek(0)
    builder.bring()
    assert (engine / "builds").read_text() == builds
    assert words.getvalue().startswith("images: runyard/plain:")


def test_changed_input_builds_that_image_alone(builder: ImageBuilder, checkout: Path, engine: Path) -> None:
    builder.bring()
    (checkout / "plain" / "file").write_text("new")
    builder.bring()
    built = [line.split()[2].split(":")[0] for line in (engine / "builds").read_text().splitlines()]
    assert sorted(built) == ["runyard/library", "runyard/plain", "runyard/plain", "runyard/program"]


def test_build_arguments_and_further_tags_are_given(builder: ImageBuilder, checkout: Path, engine: Path) -> None:
    builder.bring()
    plain = next(line for line in (engine / "builds").read_text().splitlines() if "runyard/plain" in line)
    assert "--build-arg=VERSION=2" in plain.split()
    assert (engine / "tags").read_text() == f"{image_reference('plain', checkout)} runyard/plain:1\n"


def test_wheels_are_those_of_the_lock_file_for_the_images_python(builder: ImageBuilder, engine: Path) -> None:
    builder.bring()
    asked = (engine / "pip").read_text()
    assert "--python-version 3.11 --only-binary=:all: --no-deps --require-hashes" in asked


def test_wheels_in_the_cache_are_not_fetched_again(builder: ImageBuilder, checkout: Path, engine: Path) -> None:
    builder.bring()
    (checkout / "library" / "code.py").write_text("changed")
    builder.bring()
    assert len((engine / "pip").read_text().splitlines()) == 1


def test_build_that_fails_shows_the_last_lines_and_the_others_are_finished(
    builder: ImageBuilder, checkout: Path, context: Callable[[str], dict[str, str]], store: Cache
) -> None:
    (checkout / "plain" / "fail").touch()
    (checkout / "images" / "catalog.yaml").write_text(CATALOG.replace("[plain]", "[plain, plain/fail]"))
    # The engine stand-in looks for it at the context's root.
    (checkout / "fail").touch()
    (checkout / "images" / "catalog.yaml").write_text(CATALOG.replace("[plain]", "[plain, fail]"))
    with pytest.raises(ToolchainError, match=r"image plain: run docker: ended with code 1\n(.*\n)*    no space left"):
        builder.bring()
    assert context("program")["workload"] == "program example.org/app\n"
    assert not [each for each in store.root.iterdir() if each.name.startswith(".stage")]
