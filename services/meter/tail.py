"""Tail: the gateway's request log, line by line and each once, over rotation, truncation and restarts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runyard.names import REQUEST_LOG_NAME

# A line has less than 4,096 bytes; a piece has some thousand of them, so that others get their turn between two.
PIECE_BYTES = 1024 * 1024
# The gateway's tests hold it.
LINE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file is read: which it is, by its inode and a digest of its first line, and up to which byte.

    An inode alone is no identity: the next file may get that of one that was removed, or be written over. Each line
    holds a request's id, so no two files begin alike.
    """

    inode: int
    head: str
    offset: int


@dataclass(frozen=True, slots=True)
class TailState:
    """How far all files are read; `number` is the highest under which one was put aside."""

    positions: tuple[Position, ...] = ()
    number: int = 0
    lost_files: int = 0


@dataclass(slots=True)
class _File:
    """An open file of the log."""

    handle: int
    inode: int
    head: str
    offset: int


class Tail:
    """A reader of all files of the log that there are: one that was put aside may still get its last lines.

    Whoever gets lines takes them in before anything else is done: the state counts them as read from then on.
    """

    def __init__(self, directory: Path, state: TailState) -> None:
        self._log = directory / REQUEST_LOG_NAME
        self._known = {(each.inode, each.head): each.offset for each in state.positions}
        self._number, self.lost_files = state.number, state.lost_files
        self._files: dict[int, _File] = {}

    def export(self) -> TailState:
        """Give how far it has read."""
        positions = (Position(each.inode, each.head, each.offset) for each in self._files.values() if each.head)
        unread = [Position(*key, offset) for key, offset in sorted(self._known.items())]
        return TailState((*unread, *positions), self._number, self.lost_files)

    def skip(self) -> None:
        """Go to the end of what there is: the metering begins now."""
        self._look()
        for each in self._files.values():
            each.offset = os.fstat(each.handle).st_size
            each.offset, each.head = self._line_start(each), self._head_of(each)

    @staticmethod
    def _line_start(file: _File) -> int:
        """Give where the line begins that is being written."""
        begin = max(0, file.offset - LINE_BYTES)
        data = os.pread(file.handle, file.offset - begin, begin)
        return begin + data.rfind(b"\n") + 1

    def behind_bytes(self) -> int:
        """Tell how much is written and not read."""
        return sum(max(0, os.fstat(each.handle).st_size - each.offset) for each in self._files.values())

    def pieces(self) -> Iterator[list[bytes]]:
        """Give the whole lines that came since, in pieces; OSError if the log cannot be read.

        When it ends, everything that had been written when it began is read.
        """
        self._look()
        for file in list(self._files.values()):
            yield from self._read(file)
        self._drop()

    def _read(self, file: _File) -> Iterator[list[bytes]]:
        if file.head and self._head_of(file) != file.head:
            # Written over in place: what it was is gone, and what it is now begins at its beginning.
            file.offset, file.head = 0, ""
        until = os.fstat(file.handle).st_size
        while file.offset < until:
            data = os.pread(file.handle, PIECE_BYTES, file.offset)
            end = data.rfind(b"\n") + 1
            if not end:
                if len(data) < PIECE_BYTES:
                    return
                # No line is so long: this is no log.
                end = len(data)
            file.head = file.head or _head(data)
            file.offset += end
            yield data[:end].removesuffix(b"\n").split(b"\n")

    def _look(self) -> None:
        """Open the files that are new, the oldest first."""
        numbers = sorted(
            int(each.suffix[1:]) for each in self._log.parent.glob(f"{self._log.name}.*") if each.suffix[1:].isdecimal()
        )
        if numbers and self._number and numbers[0] > self._number + 1:
            self.lost_files += numbers[0] - self._number - 1
        self._number = max([self._number, *numbers])
        for path in (*(self._log.with_name(f"{self._log.name}.{number}") for number in numbers), self._log):
            self._open(path)

    def _open(self, path: Path) -> None:
        try:
            if path.stat().st_ino in self._files:
                return
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            # Put aside, or removed, since it was listed.
            return
        file = _File(handle, os.fstat(handle).st_ino, "", 0)
        head = self._head_of(file)
        if (file.inode, head) in self._known:
            file.head, file.offset = head, self._known.pop((file.inode, head))
        self._files[file.inode] = file

    @staticmethod
    def _head_of(file: _File) -> str:
        return _head(os.pread(file.handle, LINE_BYTES, 0))

    def _drop(self) -> None:
        """Close the files that were removed, now that they are read to their ends."""
        for inode, file in list(self._files.items()):
            if os.fstat(file.handle).st_nlink == 0:
                os.close(file.handle)
                del self._files[inode]
        # What a restart did not find again is gone, read or not.
        self._known.clear()

    def close(self) -> None:
        """Close all files."""
        for each in self._files.values():
            os.close(each.handle)
        self._files.clear()


def _head(data: bytes) -> str:
    """Name a file by its first line; empty while it has none."""
    line, found, _ = data.partition(b"\n")
    return hashlib.sha256(line).hexdigest()[:16] if found else ""
