"""Binary of Compose v2, built from the wrapper module beside this file and kept in the cache."""

from __future__ import annotations

from pathlib import Path

from tests.harness.programs import go_program

MODULE = Path(__file__).parent
PACKAGE = "github.com/docker/compose/v2/cmd"


def compose_binary() -> Path:
    """Build Compose v2 unless the cache has it, and return its path."""
    return go_program("bench/docker-compose", MODULE, PACKAGE)
