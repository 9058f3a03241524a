"""State: where Pulumi keeps what it knows of the stack, and the passphrase that encrypts the secrets in it."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ToolchainError
from toolchain.step import Steps

# 32 random bytes: as strong as the key that is derived from them.
PASSPHRASE_BYTES = 32
PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


@dataclass
class State:
    """The backend of one checkout: a directory in it, unless PULUMI_BACKEND_URL names another."""

    steps: Steps
    checkout: Path
    environment: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """What is private to this checkout and ignored by git."""
        return self.checkout / ".runyard"

    def bring(self) -> dict[str, str]:
        """Return the variables that point Pulumi at its state, having made directory and passphrase."""
        added: dict[str, str] = {}
        backend = self.environment.get("PULUMI_BACKEND_URL")
        if backend:
            self.steps.say("state", f"in {_without_secrets(backend)} (PULUMI_BACKEND_URL)")
        else:
            directory = self.directory / "state"
            directory.mkdir(parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            added["PULUMI_BACKEND_URL"] = file_backend(directory)
            self.steps.say("state", f"in {directory}")
        if not any(name in self.environment for name in PASSPHRASE_VARIABLES):
            added["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self._passphrase())
        return added

    def _passphrase(self) -> Path:
        file = self.directory / "passphrase"
        self.directory.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: a stack encrypted with half a passphrase could not be read again.
        draft = file.with_name(f"passphrase.{os.getpid()}")
        if not file.exists():
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as out:
                out.write(secrets.token_urlsafe(PASSPHRASE_BYTES) + "\n")
            draft.rename(file)
            self.steps.say("state", f"made a passphrase in {file}: keep it, the stack's secrets need it")
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
            self.steps.say("state", f"took everybody else's rights from {file}")
        return file

    def select(self, pulumi: Path, stack: str, environment: Mapping[str, str]) -> None:
        """Select the stack, making it in the backend when it is not there."""
        command: list[str | Path] = [pulumi, "stack", "select", stack, "--create", "--non-interactive"]
        asked = subprocess.run(
            command, cwd=self.checkout, env=dict(environment), capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            return
        reason = asked.stderr.strip() or asked.stdout.strip()
        hint = ""
        if "passphrase" in reason:
            hint = (
                f"\n  stacks/Pulumi.{stack}.yaml was encrypted with another passphrase: put that one in"
                f" {self.directory / 'passphrase'}, or remove the file's encryptionsalt and secrets to start anew"
            )
        raise ToolchainError(f"state: select stack {stack}: {reason}{hint}")


def file_backend(directory: Path) -> str:
    """Give the address of the file backend in a directory, as PULUMI_BACKEND_URL has it.

    Without notes of its own beside its files (gocloud's `metadata=skip`): it writes those in place, so an update
    killed meanwhile left half a note, and Pulumi could not read the state beside it. The state itself is renamed.
    """
    return f"file://{directory}?metadata=skip"


def _without_secrets(url: str) -> str:
    """Cut what may hold credentials from a backend's address: user and query."""
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
