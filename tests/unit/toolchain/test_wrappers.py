"""The Go wrappers' own tests, in the full run, where the toolchain has brought or found a Go."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from toolchain import CHECKOUT, cache, pins
from toolchain.gobuild import Go
from toolchain.step import Steps


@pytest.mark.engine
@pytest.mark.parametrize("wrapper", ["language", "bridge"])
def test_wrapper_passes_its_own_tests(steps: Steps, wrapper: str) -> None:
    store = cache.Cache(cache.locate(os.environ))
    if not list(store.root.glob({"language": "pulumi-*-*", "bridge": "plugin-docker-*"}[wrapper])):
        pytest.skip("this machine has the official one, and compiling it anew takes minutes")
    loaded = pins.load()
    go = Go(steps, store, dict(os.environ), loaded.go_minimum, loaded.go_version, Path(sys.executable))
    steps.run(
        f"go {wrapper}", [go.command(), "test", "-vet=off", "."], Path(CHECKOUT, "toolchain", wrapper), go.settings()
    )
    log: Path = steps.log_directory / f"go-{wrapper}.log"
    assert log.read_text().splitlines()[-1].startswith("ok")
