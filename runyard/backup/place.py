"""Place: where the files of a stack's own are on this machine: state, settings and passphrase."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import LockError, NotFound, UsageError
from runyard.pulumi.backend import (
    backend_directory,
    backend_of,
    list_stacks,
    lock_directory,
    passphrase_file,
    stack_file,
    state_file,
)
from runyard.pulumi.passphrase import read_passphrase
from runyard.pulumi.project import find_checkout, find_project, stack_settings


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one stack. UsageError for a backend that is no directory of this machine's."""

    stack: str
    settings: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, stack: str, config_file: str | None, environment: Mapping[str, str]) -> Place:
        """Find them for the project in which this runs, or else the checkout; `config_file` is other settings."""
        project = find_project(".") or find_checkout()
        return cls(stack, Path(config_file or os.path.join(project, stack_settings(stack))), environment)

    @property
    def state(self) -> Path:
        """The file that has the state, or will."""
        backend = backend_of(self.environment)
        directory = backend_directory(backend)
        if not directory:
            scheme = backend.partition("://")[0]
            raise UsageError(
                f"state of stack {self.stack}: must be in a directory of this machine, and PULUMI_BACKEND_URL is of"
                f" {scheme}://\n  back that up by its own means, and the rest with a directory: `pulumi stack export`"
            )
        return Path(stack_file(directory, self.stack))

    @property
    def passphrase_file(self) -> Path:
        """The file that has the passphrase, or will."""
        return Path(passphrase_file(self.environment))

    def passphrase(self) -> str | None:
        """Read the passphrase in force; None where there is none."""
        return read_passphrase(self.environment)

    def read_state(self) -> bytes:
        """Read the state; NotFound names the stacks that there are, LockError says that an update is changing it."""
        file = self.state
        backend = backend_of(self.environment)
        if not state_file(backend, self.stack):
            there = ", ".join(list_stacks(backend) or ()) or "none"
            raise NotFound(f"stack {self.stack}: must be one of those that are there ({there})")
        locks = Path(lock_directory(backend, self.stack))
        if locks.is_dir() and any(each.suffix == ".json" for each in locks.iterdir()):
            raise LockError(
                f"stack {self.stack}: must not be under an update\n"
                f"  wait until it is over; what one left that was killed goes with: pulumi cancel {self.stack}"
            )
        return file.read_bytes()

    def read_settings(self) -> bytes:
        """Read the settings; UsageError where they are not there."""
        try:
            return self.settings.read_bytes()
        except OSError as error:
            raise UsageError(f"settings of stack {self.stack}: {self.settings}: {error.strerror}") from None
