import shutil

import pytest


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """Refuse to run without an engine; these tests need nothing else, so not what the rest of e2e does."""
    assert shutil.which("docker") is not None, "docker is not on PATH; run `make test`, which brings it"
