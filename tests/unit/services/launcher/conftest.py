"""The launcher's binary, built once from its Go source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.programs import build_go
from tests.unit.services.launcher.program import SOURCE, Launcher


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Go is brought by `make test`, and is not for `make check` to ask for.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    return Launcher(build_go(SOURCE, tmp_path_factory.mktemp("launcher") / "launch"))
