"""Source: the engine's log of one container, each line once, over rotation, restarts and the container's removal."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

# A piece has some hundred lines or more, so that other containers get their turn between two.
PIECE_BYTES = 256 * 1024
# The engine cuts what a container writes at 16 KiB; in JSON each byte of it takes six at most.
_LINE_BYTES = 128 * 1024
# As many files as the engine keeps of a container, and the one that it has just put away.
_FILES = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line begins: in a file by its inode and a digest of its first line, for an inode alone is used again."""

    inode: int
    head: str
    offset: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines, and the position of the first; `lost` says that what came before them is gone unread.

    Positions count the bytes that were read in this life, on from one file to the next.
    """

    position: int
    lines: tuple[bytes, ...]
    lost: bool = False


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was begun: at which position its first byte is, or would be."""

    inode: int
    head: str
    base: int


class Source:
    """A reader of a container's log, which holds the file that it reads, so that a removal takes nothing away."""

    def __init__(self, directory: Path, container: str, place: Place | None = None) -> None:
        self._path = directory / f"{container}-json.log"
        self._handle = -1
        self._offset = self._position = 0
        self._files: list[_File] = []
        self._lost = False
        self._wanted = place

    @property
    def position(self) -> int:
        """Where the next line begins."""
        return self._position

    def open(self) -> bool:
        """Open the file to be read next, and tell whether there is one; OSError if it cannot be opened."""
        return self._handle >= 0 or self._begin()

    def place(self, position: int) -> Place | None:
        """Give the place of a position that was read in this life; None before a line was."""
        for file in reversed(self._files):
            if file.base <= position and file.head:
                return Place(file.inode, file.head, position - file.base)
        return None

    def read(self) -> Piece | None:
        """Give the whole lines that came since, a piece at a time; None if there are none, OSError if it cannot read.

        The engine's files have no half line but the one that it is writing.
        """
        if not self.open():
            return None
        data = self._pread()
        if not data and self._is_put_aside():
            # What was written between the last look and the renaming.
            data = self._pread()
            if not data and self._advance():
                data = self._pread()
        if not data:
            return None
        if not self._files[-1].head:
            self._files[-1] = _File(self._files[-1].inode, self._head(), self._files[-1].base)
        position, lost = self._position, self._lost
        self._offset, self._position, self._lost = self._offset + len(data), position + len(data), False
        return Piece(position, tuple(data.removesuffix(b"\n").split(b"\n")), lost)

    def behind_bytes(self) -> int:
        """Tell how much of the open file is not read."""
        return 0 if self._handle < 0 else max(0, os.fstat(self._handle).st_size - self._offset)

    @property
    def gone(self) -> bool:
        """Whether the engine has removed the log."""
        return not self._path.parent.exists()

    def close(self) -> None:
        """Let the file go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _pread(self) -> bytes:
        data = os.pread(self._handle, PIECE_BYTES, self._offset)
        end = data.rfind(b"\n") + 1
        # No line is as long as a piece: such a file is none of the engine's, and must not stop the others.
        return data[: end or (len(data) if len(data) == PIECE_BYTES else 0)]

    def _paths(self) -> list[Path]:
        """List the files that there may be, the oldest first."""
        return [*(self._path.with_name(f"{self._path.name}.{number}") for number in range(_FILES, 0, -1)), self._path]

    def _begin(self) -> bool:
        """Open the file in which a place is, else the oldest."""
        place, self._wanted = self._wanted, None
        for path in self._paths():
            if place is None:
                if self._take(path):
                    return True
            elif self._take(path):
                if (self._files[-1].inode, self._head()) == (place.inode, place.head):
                    self._offset = place.offset
                    self._files[-1] = _File(place.inode, place.head, self._position - place.offset)
                    return True
                self._files.clear()
                self.close()
        if place is not None:
            # It was written over since: what is there now is all unread.
            self._lost = True
            return self._begin()
        return False

    def _is_put_aside(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._handle).st_ino
        except FileNotFoundError:
            return False

    def _advance(self) -> bool:
        """Open the file after this one, else the oldest that there is."""
        inode, paths = os.fstat(self._handle).st_ino, self._paths()
        there = [_inode(path) for path in paths]
        if inode in there:
            following = [
                path for path, found in list(zip(paths, there, strict=True))[there.index(inode) + 1 :] if found
            ]
        else:
            following = [path for path, found in zip(paths, there, strict=True) if found]
        self._lost = self._lost or inode not in there
        self.close()
        return any(self._take(path) for path in following)

    def _take(self, path: Path) -> bool:
        with contextlib.suppress(FileNotFoundError):
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            self._offset = 0
            self._files = [*self._files[1 - _FILES :], _File(os.fstat(self._handle).st_ino, "", self._position)]
            return True
        return False

    def _head(self) -> str:
        data = os.pread(self._handle, _LINE_BYTES, 0)
        line, found, _ = data.partition(b"\n")
        # Of a line that is too long for one of the engine's, such as a disk's zeros, its beginning will do.
        return hashlib.sha256(line).hexdigest()[:16] if found or len(data) == _LINE_BYTES else ""


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
