"""Record: what the last successful update looked at and left behind, as fingerprints; it holds no secret."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from runyard.uptodate.fingerprint import Read

# Another layout is no record: Pulumi is asked, and a new one is written.
_VERSION = 1


class Record(NamedTuple):
    """Fingerprints by what they are of, such as `code`, and what is needed to take them again.

    `engine` is the address of the engine that was found, `tools` the programs that were run, `reads` what the loader
    read and the fingerprint of each, and `salt` (hexadecimal) that of the environment's fingerprint.
    """

    engine: str
    salt: str
    tools: tuple[str, ...]
    reads: Mapping[Read, str]
    parts: Mapping[str, str]


def load_record(file: str) -> Record | None:
    """Read a record; None when there is none that can be read, which only means that Pulumi is asked."""
    try:
        with open(file, encoding="utf-8") as stream:
            value: Any = json.load(stream)
        if value["version"] != _VERSION:
            return None
        return Record(
            engine=str(value["engine"]),
            salt=str(value["salt"]),
            tools=tuple(map(str, value["tools"])),
            reads=parse_reads(value["reads"]),
            parts={str(name): str(digest) for name, digest in value["parts"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save_record(file: str, record: Record) -> None:
    """Write a record in place of the one before, for its owner's eyes; OSError if it cannot be written."""
    # Here, because reading one, which is what has to be fast, takes none of it.
    from pathlib import Path

    from runyard import files

    text = json.dumps({"version": _VERSION, **record._asdict(), "reads": tell_reads(record.reads)})
    files.write(Path(file), text, mode=0o600)


def parse_reads(value: Any) -> dict[Read, str]:
    """Parse what was read, as `tell_reads` tells it; ValueError or TypeError where it is not that."""
    return {(str(kind), str(path)): str(digest) for kind, path, digest in value}


def tell_reads(reads: Mapping[Read, str]) -> list[list[str]]:
    """Tell what was read as JSON can: kind, path and fingerprint of each."""
    return [[*read, digest] for read, digest in sorted(reads.items())]


def forget_record(file: str) -> None:
    """Remove a record, so that the next update asks Pulumi; one that is not there is fine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file)
