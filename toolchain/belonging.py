"""Belonging: a stack is of the repository that brought it up, so that no other one's update takes its services away."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runyard import files
from runyard.errors import UsageError
from runyard.pulumi.backend import data_directory


class Belonging:
    """Whose a stack is: the project at a directory, in each of its clones."""

    def __init__(self, environment: Mapping[str, str], project: Path, stack: str) -> None:
        self._environment = environment
        self._project = os.path.realpath(project)
        self._stack = stack
        self._file = Path(data_directory(environment), f"home.{stack}.json")

    def check(self) -> None:
        """Refuse a stack that another repository has brought up; UsageError says which."""
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
            directory, origin = str(noted["directory"]), str(noted["origin"])
        except (OSError, ValueError, KeyError, TypeError):
            # Never brought up here, or by hand.
            return
        moved = not os.path.isdir(directory)
        if moved or directory == self._project or (origin and origin == self._origin()):
            return
        raise UsageError(
            f"stack {self._stack}: must be of this repository, {self._project}, and is of {directory}\n"
            f"  choose another name: --stack NAME, or take that one down: cd {directory} && runyard down"
            f" --stack {self._stack}"
        )

    def note(self) -> None:
        """Note that the stack is of this repository."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(self._file, json.dumps({"directory": self._project, "origin": self._origin()}), mode=0o600)

    def forget(self) -> None:
        """Forget whose it was: it is gone."""
        self._file.unlink(missing_ok=True)

    def _origin(self) -> str:
        """Ask git where the repository was cloned from; "" without git, a repository or an origin."""
        try:
            asked = subprocess.run(
                ["git", "-C", self._project, "config", "--get", "remote.origin.url"],
                env=dict(self._environment),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return ""
        return asked.stdout.strip()
