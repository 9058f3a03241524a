"""Shelf: a directory of a stack's backups, of which the newest are kept."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, TypeVar

from runyard.errors import UsageError

# What a stack's name and a moment in UTC make; an order of names is one of times.
_NAME = "runyard-{stack}-{moment}.tar.gz"
_MOMENT = "%Y%m%dT%H%M%SZ"
_SEALED = ".age"

Result = TypeVar("Result")


def name_backup(stack: str, moment: datetime, *, sealed: bool) -> str:
    """Name a backup by the time at which it is begun, in UTC."""
    return _NAME.format(stack=stack, moment=moment.strftime(_MOMENT)) + (_SEALED if sealed else "")


def prune(directory: Path, stack: str, keep: int) -> list[Path]:
    """Remove all but the newest backups of a stack from a directory, and list them; nothing else there is touched."""
    name = re.compile(re.escape(_NAME).replace(r"\{stack\}", re.escape(stack)).replace(r"\{moment\}", r"\d{8}T\d{6}Z"))
    found = sorted(each for each in directory.iterdir() if name.fullmatch(each.name.removesuffix(_SEALED)))
    old: Sequence[Path] = found[: max(0, len(found) - keep)]
    for each in old:
        each.unlink()
    return list(old)


def write_whole(file: Path, write: Callable[[IO[bytes]], Result]) -> Result:
    """Have a file written that nobody else may read, and only once it is whole; UsageError where it cannot be."""
    try:
        handle, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise UsageError(f"backup: write {file}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as opened:
            result = write(opened)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(draft, file)
    except BaseException as error:
        os.unlink(draft)
        if isinstance(error, OSError):
            raise UsageError(f"backup: write {file}: {error.strerror}") from None
        raise
    return result
