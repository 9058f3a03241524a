"""Programs that tests start and the toolchain brings; a test without one of them fails, and says what brings it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from runyard.gateway import GatewayConfig

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
