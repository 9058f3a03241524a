"""State: where Pulumi keeps what it knows of the stack, and the passphrase that encrypts the secrets in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runyard import files
from runyard.errors import NotFound, ToolchainError
from runyard.pulumi.backend import (
    PASSPHRASE_VARIABLES,
    PROJECT,
    data_directory,
    file_backend,
    list_stacks,
    state_file,
)
from runyard.pulumi.project import SETTINGS, stack_settings
from toolchain.step import Steps

# 32 random bytes: as strong as the key that is derived from them.
PASSPHRASE_BYTES = 32


@dataclass
class Backend:
    """The backend of a project: a directory in the user's data, unless PULUMI_BACKEND_URL names another."""

    steps: Steps
    project: Path
    environment: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """What is private to this user, outside every repository."""
        return Path(data_directory(self.environment))

    def bring(self) -> dict[str, str]:
        """Return the variables that point Pulumi at its state, having made directory and passphrase."""
        added: dict[str, str] = {}
        backend = self.environment.get("PULUMI_BACKEND_URL")
        if backend:
            self.steps.found("state", f"in {_without_secrets(backend)} (PULUMI_BACKEND_URL)")
        else:
            directory = self.directory / "state"
            directory.mkdir(parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            added["PULUMI_BACKEND_URL"] = file_backend(directory)
            self.steps.found("state", f"in {directory}")
        if not any(name in self.environment for name in PASSPHRASE_VARIABLES):
            added["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self._passphrase())
        return added

    def _passphrase(self) -> Path:
        file = self.directory / "passphrase"
        self.directory.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            # Whole or not at all: a stack encrypted with half a passphrase could not be read again.
            files.write(file, secrets.token_urlsafe(PASSPHRASE_BYTES) + "\n", mode=0o600)
            self.steps.say("state", f"made a passphrase in {file}: keep it, the stack's secrets need it")
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
            self.steps.say("state", f"took everybody else's rights from {file}")
        return file

    def check_there(self, pulumi: Path, stack: str, environment: Mapping[str, str]) -> None:
        """Refuse a stack that is not in the backend; NotFound lists those that are."""
        there = self.stacks(pulumi, environment)
        if stack not in there:
            raise NotFound(f"stack {stack}: must be one of those that are there ({', '.join(there) or 'none'})")

    def stacks(self, pulumi: Path, environment: Mapping[str, str]) -> list[str]:
        """List the project's stacks by name."""
        there = list_stacks(environment.get("PULUMI_BACKEND_URL", ""))
        if there is not None:
            return there
        asked = subprocess.run(
            [pulumi, "stack", "ls", "--json", "--non-interactive"],
            cwd=self.project,
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode != 0:
            raise ToolchainError(f"state: list the stacks: {asked.stderr.strip()}")
        return sorted(each["name"].rpartition("/")[2] for each in json.loads(asked.stdout))

    @contextmanager
    def pretended(self, pulumi: Path, stack: str, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Yield an environment in which there is the stack, empty, in a backend that vanishes afterwards.

        Pulumi previews nothing else. What it writes into the stack's settings goes too.
        """
        settings = self.project / stack_settings(stack)
        before = settings.read_bytes() if settings.exists() else None
        with tempfile.TemporaryDirectory(prefix="runyard-preview-") as directory:
            pretending = {**environment, "PULUMI_BACKEND_URL": file_backend(directory)}
            try:
                self._stack(pulumi, stack, "init", ["--no-select"], pretending)
                yield pretending
            finally:
                if before is not None:
                    settings.write_bytes(before)
                else:
                    settings.unlink(missing_ok=True)
                    with contextlib.suppress(OSError):
                        settings.parent.rmdir()

    def select(self, pulumi: Path, stack: str, environment: Mapping[str, str]) -> None:
        """Select the stack for what is typed by hand, making it in the backend when it is not there.

        Pulumi is not started for a stack that has its file and is the selected one.
        """
        there = state_file(environment.get("PULUMI_BACKEND_URL", ""), stack)
        if there and self._selected(environment) == f"organization/{PROJECT}/{stack}":
            return
        self._stack(pulumi, stack, "select", ["--create"], environment)

    def _stack(self, pulumi: Path, stack: str, verb: str, options: list[str], environment: Mapping[str, str]) -> None:
        command: list[str | Path] = [pulumi, "stack", verb, stack, *options, "--non-interactive"]
        asked = subprocess.run(
            command, cwd=self.project, env=dict(environment), capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            return
        reason = asked.stderr.strip() or asked.stdout.strip()
        hint = ""
        if "passphrase" in reason:
            hint = (
                f"\n  {stack_settings(stack)} was encrypted with another passphrase: put that one in"
                f" {self.directory / 'passphrase'}, or remove the file's encryptionsalt and secrets to start anew"
            )
        raise ToolchainError(f"state: {verb} stack {stack}: {reason}{hint}")

    def _selected(self, environment: Mapping[str, str]) -> str:
        """Read which stack Pulumi keeps as selected for this project; "" when that cannot be told."""
        home = Path(environment.get("PULUMI_HOME") or os.path.expanduser("~/.pulumi"))
        # As Pulumi names it (pkg/workspace, settings): by project and the path of its file.
        key = hashlib.sha1(str(self.project / SETTINGS).encode()).hexdigest()  # noqa: S324
        try:
            kept = json.loads((home / "workspaces" / f"{PROJECT}-{key}-workspace.json").read_text())
            return str(kept["stacks"][environment["PULUMI_BACKEND_URL"]])
        except (OSError, ValueError, KeyError, TypeError):
            return ""


@dataclass
class StackState:
    """What Pulumi knows of one stack: the backend's file where it is one, else asked of the Pulumi command."""

    pulumi: Path
    project: Path
    stack: str
    environment: Mapping[str, str]

    def read(self) -> str:
        """Read the whole state: a checkpoint, or what `pulumi stack export` prints; both are JSON."""
        file = state_file(self.environment.get("PULUMI_BACKEND_URL", ""), self.stack)
        # It is replaced and never written in place, so what is read is whole.
        return Path(file).read_text(encoding="utf-8") if file else self._ask("stack", "export")

    def forget_pending(self) -> bool:
        """Drop the creations that a killed update left pending, and say whether there were any.

        Through Pulumi, which holds the stack's lock meanwhile; it happens after a kill alone.
        """
        state = json.loads(self._ask("stack", "export"))
        if not (state.get("deployment") or {}).pop("pending_operations", None):
            return False
        self._ask("stack", "import", given=json.dumps(state))
        return True

    def _ask(self, *arguments: str, given: str | None = None) -> str:
        asked = subprocess.run(
            [self.pulumi, *arguments, "--stack", self.stack],
            cwd=self.project,
            env=dict(self.environment),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode != 0:
            raise ToolchainError(f"update: pulumi {' '.join(arguments)}: {asked.stderr.strip()}")
        return asked.stdout


def _without_secrets(url: str) -> str:
    """Cut what may hold credentials from a backend's address: user and query."""
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
