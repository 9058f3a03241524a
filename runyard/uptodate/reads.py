"""Reads: the program tells the toolchain which files, directories and globs its loader read, and what they held."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from runyard import files
from runyard.manifest.sources import reported_to
from runyard.uptodate.fingerprint import Read, of_read
from runyard.uptodate.record import tell_reads

# Names the file in which an update wants to be told.
VARIABLE = "RUNYARD_READS"


@contextmanager
def told_reads(environment: Mapping[str, str]) -> Iterator[None]:
    """Note what the loader reads within the block, and write it where the environment asks for it, if it does.

    Each is hashed just before it is read, so that what changes later is told apart, whenever that is.
    """
    file = environment.get(VARIABLE)
    if not file:
        yield
        return
    told: dict[Read, str] = {}

    def note(kind: str, path: str) -> None:
        read = (kind, os.path.abspath(path))
        if read not in told:
            told[read] = of_read(read)

    with reported_to(note):
        yield
    files.write(Path(file), json.dumps(tell_reads(told)), mode=0o600)
