"""Log: lines out of the engine's frames, as they come in pieces of any size."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

# Docker's frame: the output's number, three empty bytes, and the length of what follows.
_HEADER = struct.Struct(">BxxxL")


class LogLine(NamedTuple):
    """A line that a container wrote: when, by the engine's clock (RFC 3339, nanoseconds), on which output, and what."""

    time: str
    output: int
    text: str


class LogLines:
    """A reader of frames: the two outputs are joined, and a line ends at its line end or with the log."""

    def __init__(self) -> None:
        self._data = b""
        self._begun: dict[int, bytes] = {}

    def feed(self, piece: bytes) -> Iterator[LogLine]:
        """Take in a piece, and give the lines that it ends."""
        self._data += piece
        at = 0
        while at + _HEADER.size <= len(self._data):
            output, length = _HEADER.unpack_from(self._data, at)
            end = at + _HEADER.size + length
            if end > len(self._data):
                break
            *whole, self._begun[output] = (self._begun.get(output, b"") + self._data[at + _HEADER.size : end]).split(
                b"\n"
            )
            yield from (_line(output, each) for each in whole)
            at = end
        self._data = self._data[at:]

    def rest(self) -> Iterator[LogLine]:
        """Give what was begun and not ended."""
        for output, text in sorted(self._begun.items()):
            if text:
                yield _line(output, text)
        self._begun = {}


def _line(output: int, data: bytes) -> LogLine:
    time, _, text = data.decode(errors="replace").partition(" ")
    return LogLine(time, output, text.rstrip("\r"))
