"""Environment: the checkout's `.venv`, made from the lock file with hashes, with the checkout on its path."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain import cache
from toolchain.step import Steps

LOCK = Path("toolchain", "requirements.txt")
# Written last: an environment without it, or with another key in it, was not finished or is out of date.
STAMP = ".runyard-lock"
# What a `pulumi up` imports. With no bytecode of it each of the program's processes compiles for two seconds, and where
# PYTHONDONTWRITEBYTECODE is set, as in many container images, it would never get any.
IMPORTED = ("pulumi", "grpc", "yaml", "jsonschema", "jsonschema_rs", "jinja2", "click")
IMPORT = "import importlib.util as u; [__import__(each) for each in {names!r} if u.find_spec(each)]"
# Of a script's first line (BINPRM_BUF_SIZE was 128 before Linux 5.1).
KERNELS_LIMIT = 127
SCRIPT = """import sys

from {module} import {function}

sys.exit({function}())
"""


@dataclass
class Environment:
    """The virtual environment of one checkout."""

    steps: Steps
    checkout: Path
    variables: Mapping[str, str]
    imported: Sequence[str] = IMPORTED

    @property
    def directory(self) -> Path:
        """Where the environment is: Pulumi.yaml names the same place."""
        return self.checkout / ".venv"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.directory / "bin" / "python"

    def is_whole(self) -> bool:
        """Tell whether the environment is there, finished, and of this lock file."""
        stamp = self.directory / STAMP
        return stamp.exists() and stamp.read_text() == self._key() and self.python.exists()

    def _key(self) -> str:
        return cache.key([self.checkout / LOCK, self.checkout / "pyproject.toml"])

    def bring(self) -> None:
        """Make the environment unless it is there, whole, and of this lock file."""
        if self.is_whole():
            self.steps.found("environment", f"{self.directory} is up to date")
            return
        with self.steps.step("environment", f"make {self.directory} from {LOCK}"):
            # Here: it is slow to import, and an environment is seldom made.
            import venv

            # Packages are never changed in place: what an older lock file named would stay behind.
            self._remove()
            venv.EnvBuilder(with_pip=True).create(self.directory)
            self.steps.run("environment", self._install_command(), environment=self._pip_variables())
            self._link_checkout()
            self._compile()
            (self.directory / STAMP).write_text(self._key())

    def _remove(self) -> None:
        if self.directory.is_symlink():
            self.directory.unlink()
        elif self.directory.exists():
            shutil.rmtree(self.directory)

    def _install_command(self) -> list[str | Path]:
        lock = self.checkout / LOCK
        return [
            *(self.python, "-m", "pip", "install", "--no-deps", "--require-hashes", "--only-binary=:all:"),
            # `_compile` does what is needed: the check tools alone would be compiled for nothing.
            *("--no-compile", "--progress-bar", "off", "-r", lock),
        ]

    def _pip_variables(self) -> dict[str, str]:
        """Keep the user's own pip settings (they may name a mirror), but no target outside the environment."""
        unwanted = {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONHOME", "PYTHONPATH"}
        kept = {name: value for name, value in self.variables.items() if name not in unwanted}
        return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}

    def _compile(self) -> None:
        """Write the bytecode of what is imported, by importing it."""
        variables = {name: value for name, value in self.variables.items() if not name.startswith("PYTHON")}
        code = IMPORT.format(names=tuple(self.imported))
        # Not in the checkout: its own sources change, and are few.
        self.steps.run("environment", [self.python, "-c", code], directory=self.directory, environment=variables)

    def _link_checkout(self) -> None:
        """Put the checkout on the path and the console scripts in place; a build backend would need the network."""
        packages = next(self.directory.glob("lib/python3*/site-packages"))
        (packages / "runyard.pth").write_text(f"{self.checkout}\n")
        project = tomllib.loads((self.checkout / "pyproject.toml").read_text())["project"]
        for name, target in project["scripts"].items():
            module, function = target.split(":")
            script = self.directory / "bin" / name
            script.write_text(first_line(self.python) + SCRIPT.format(module=module, function=function))
            script.chmod(0o755)


def first_line(python: Path) -> str:
    """Give the line that starts a script's Python; the kernel takes neither spaces nor more than 127 bytes for it.

    Then a shell starts it, by lines that are a text to Python, as pip's own scripts have them.
    """
    plain = f"#!{python}\n"
    if " " not in plain and len(os.fsencode(plain)) <= KERNELS_LIMIT:
        return plain
    return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
