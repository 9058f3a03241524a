"""A Docker engine and a Pulumi for what is tested without either."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.runyard.host.docker_api import DockerApi, serve


@pytest.fixture
def docker_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerApi]:
    """Give the engine that DOCKER_HOST names."""
    api = DockerApi()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with serve(api, tmp_path / "docker.sock"):
        yield api
        # The SDK leaves the sockets of executions to the collector; done here, the warning stays with the test.
        gc.collect()


@pytest.fixture
def pulumi_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that puts a Pulumi of a few lines of shell first on PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def write(body: str) -> None:
        (programs / "pulumi").write_text(f"#!/bin/sh\n{body}\n")
        (programs / "pulumi").chmod(0o755)

    return write
