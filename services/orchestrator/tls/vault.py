"""Vault: what is secret of TLS, a file each that only the orchestrator's user may read; a kill leaves old or new."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from runyard import files
from runyard.errors import UsageError
from services.orchestrator.model.pair import Pair

# A host, perhaps with `*.` before it, or the name of a certificate in the stack's configuration.
_NAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")


class Vault:
    """Pairs by shelf and name, in files of `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)

    def put(self, shelf: str, name: str, pair: Pair) -> None:
        """Keep a pair; OSError if the disk cannot."""
        self.write(self._path(shelf, name), pair.message())

    def get(self, shelf: str, name: str) -> Pair | None:
        """Give a pair; None if there is none or it cannot be read back."""
        return _read(self._path(shelf, name))

    def delete(self, shelf: str, name: str) -> None:
        """Forget a pair; one that is not there is no error."""
        self._path(shelf, name).unlink(missing_ok=True)

    def all(self, shelf: str) -> Iterator[tuple[str, Pair]]:
        """Give every pair of a shelf with its name; what a killed write left is removed."""
        files.clear(self.directory / shelf)
        for path in sorted((self.directory / shelf).glob("*")):
            if (pair := _read(path)) is not None:
                yield path.name.removesuffix(".json").replace("_", "*"), pair

    def write(self, path: Path, text: str) -> None:
        """Replace a file that holds a secret."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        files.write(path, text, mode=0o600)

    def _path(self, shelf: str, name: str) -> Path:
        if not _NAME.fullmatch(name) or ".." in name:
            raise UsageError(f"certificate: name must be a host or a DNS label, got {name!r}")
        return self.directory / shelf / f"{name.replace('*', '_')}.json"


def _read(path: Path) -> Pair | None:
    try:
        fields = json.loads(path.read_text())
        return Pair(fields["chain"], fields["key"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        # A broken disk: what is not there is made or sent anew.
        return None
