"""Files: a small file that is the old one or the new one, whenever its writer is killed or the power goes."""

from __future__ import annotations

import os
from pathlib import Path

# What a write that was cut short leaves; `clear` removes it. One writer a file, so a fixed name is enough.
_DRAFT = ".draft"


def write(path: Path, data: str | bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace a file at once; OSError if the disk cannot.

    Nobody reads it, not even for a moment, whom `mode` does not let. Without `durable` it outlives a kill, but perhaps
    not a power cut, and costs no wait for the disk.
    """
    draft = path.with_name(path.name + _DRAFT)
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            # A creation's mode is cut by the umask.
            os.fchmod(file.fileno(), mode)
            file.write(data.encode() if isinstance(data, str) else data)
            if durable:
                file.flush()
                # Synced before the rename, or a power cut could leave the new name on an empty file.
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        _sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file for good; one that is not there is no error."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


def clear(directory: Path) -> None:
    """Remove what writes that were cut short left in a directory: it was never in force."""
    for draft in directory.glob(f"*{_DRAFT}"):
        draft.unlink()


def _sync(directory: Path) -> None:
    # A rename and a removal are themselves data of the directory.
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
