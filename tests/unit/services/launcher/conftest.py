"""The launcher's binary, built once from its Go source."""

from __future__ import annotations

import shutil

import pytest

from tests.unit.services.launcher.program import GO_INSTALLED, SOURCE, Launcher, build


@pytest.fixture(scope="session")
def go() -> str:
    found = shutil.which("go") or (str(GO_INSTALLED) if GO_INSTALLED.exists() else None)
    if found is None:
        pytest.skip("needs Go, which `make up` brings")
    return found


@pytest.fixture(scope="session")
def launcher(go: str, tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    return Launcher(build(go, SOURCE, tmp_path_factory.mktemp("launcher") / "launch"))
