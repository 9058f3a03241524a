"""Command: puts `runyard` where a user's shell looks for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.step import Steps


@dataclass
class Command:
    """The link in the user's own directory of programs (systemd's file-hierarchy and the XDG specification name it)."""

    steps: Steps
    program: Path
    environment: Mapping[str, str]

    def offer(self) -> None:
        """Link the program, unless something has the name already; a link that leads nowhere is made anew."""
        home = self.environment.get("HOME")
        if not home:
            return
        link = Path(home, ".local", "bin", self.program.name)
        if link.exists() or (link.is_symlink() and os.readlink(link) == str(self.program)):
            return
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(self.program)
        except OSError as error:
            self.steps.say("runyard", f"could not be linked at {link}: {error.strerror}: {self.program} is the command")
            return
        found = str(link.parent) in self.environment.get("PATH", "").split(":")
        hint = "" if found else f', which is not on PATH: export PATH="{link.parent}:$PATH"'
        self.steps.say("runyard", f"is now a command, at {link}{hint}")
