"""Launcher: how secrets' values reach a container, by the standard input of a small program of ours alone."""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Callable
from pathlib import Path

from runyard import files, names
from runyard.contracts import ContainerDocument, SecretValue
from runyard.journal import Journal
from services.orchestrator.engine.port import Refused
from services.orchestrator.model.launch import has_secrets
from services.orchestrator.store.secret_values import SecretValues


class Launcher:
    """The launcher's program on its volume, and what it is told; nothing that it is told is ever written down."""

    def __init__(self, values: SecretValues, directory: Path, source: Path, authority: Callable[[], str]) -> None:
        self._values = values
        # Gives the certificate of the CA of `.internal`, as PEM.
        self._authority = authority
        self._source = source
        self._target = directory / "launch"
        self._installed = False

    def install(self, journal: Journal) -> None:
        """Put the program where instances find it; without it, those that have secrets cannot start."""
        self._installed = False
        try:
            program = self._source.read_bytes()
            self._target.parent.mkdir(parents=True, exist_ok=True)
            # Instances that are being started meanwhile execute the old program or the new one, whole.
            if not self._target.exists() or self._target.read_bytes() != program:
                files.write(self._target, program, mode=0o555)
            self._installed = True
        except OSError as error:
            journal.write("launcher missing", level="error", file=str(self._source), error=error.strerror or str(error))

    def start_input(self, container: ContainerDocument) -> str:
        """Give what a container is started with; empty without secrets. Refused if there is no launcher or no value."""
        if container.name in names.HELPERS and not self._installed:
            raise Refused(f"helper {container.name}: the orchestrator's image has no launcher")
        return self._message(container, files_too=True) if has_secrets(container) else ""

    def probe_input(self, container: ContainerDocument) -> str:
        """Give what a command in the container is started with: its environment, for the files are there already."""
        return self._message(container, files_too=False) if has_secrets(container) else ""

    def _message(self, container: ContainerDocument, *, files_too: bool) -> str:
        if not self._installed:
            raise Refused(f"container {container.name}: has secrets, and the orchestrator's image has no launcher")
        environment = {
            each.name: self._value(container, each.secret) for each in container.environment if each.secret is not None
        }
        written: list[dict[str, object]] = [
            {
                "path": posixpath.join(mount.path, each.path),
                "mode": each.mode,
                "content": base64.b64encode(self._value(container, each.secret).encode()).decode(),
            }
            for mount in container.file_mounts
            for each in mount.files
            if files_too
        ]
        if files_too:
            written += [self._trusted(each.path) for each in container.file_mounts if each.authority]
        return json.dumps({"environment": environment, "files": written})

    def _trusted(self, path: str) -> dict[str, object]:
        return {
            "path": posixpath.join(path, names.AUTHORITY_NAME),
            "mode": 0o444,
            "content": base64.b64encode(self._authority().encode()).decode(),
        }

    def _value(self, container: ContainerDocument, secret: SecretValue) -> str:
        value = self._values.get(secret.digest)
        if value is None:
            raise Refused(
                f"container {container.name}: secret {secret.name} has no value of key {secret.key} here; "
                "the next update brings it"
            )
        return value
