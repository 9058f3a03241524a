"""The filter's binary, built once from its Go source, and a filter for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.programs import build_go
from tests.unit.services.filter.program import SOURCE, Filter, filtering


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Go is brought by `make test`, and is not for `make check` to ask for.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go(SOURCE, tmp_path_factory.mktemp("filter") / "filter")


@pytest.fixture
def filter(tmp_path: Path, binary: Path) -> Iterator[Filter]:
    with filtering(tmp_path, binary) as made:
        yield made
