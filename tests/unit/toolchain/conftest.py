"""Fixtures: a narrator whose words can be read, a cache in a temporary directory, and programs made of a few lines."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain.cache import Cache
from toolchain.step import Steps

WriteProgram = Callable[[str, str], Path]


@pytest.fixture
def words() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def steps(tmp_path: Path, words: io.StringIO) -> Steps:
    return Steps(tmp_path / "logs", words)


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Directory of the test's own programs, for the front of PATH."""
    directory = tmp_path / "programs"
    directory.mkdir()
    return directory


@pytest.fixture
def program(programs: Path) -> WriteProgram:
    """Write a shell program of this name and body."""

    def write(name: str, body: str) -> Path:
        path = programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def variables(programs: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a bare machine: our programs, the system's basic ones, and a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    # Links to what shell programs need, so that nothing else of this machine is found.
    basic = tmp_path / "basic"
    basic.mkdir()
    for name in ("sh", "cat", "touch", "mkdir", "cp", "env", "chmod", "tr", "dirname"):
        found = next(Path(place, name) for place in ("/bin", "/usr/bin") if Path(place, name).exists())
        os.symlink(found, basic / name)
    return {"PATH": f"{programs}:{basic}", "HOME": str(home)}
