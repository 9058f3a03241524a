"""Intake: one container's lines, from its log to the records that the store gets, within its service's limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from runyard.contracts import ContainerOwner
from runyard.names import service_key
from runyard.units import render_count
from services.logs.entries import Entries, Entry
from services.logs.limits import Limits, Reached
from services.logs.lines import parse_line, time_of
from services.logs.record import fields_of
from services.logs.source import Piece, Place, Source

# A flood is told of once a minute while it lasts, and so soon after it.
_MINUTE = len("2026-11-28T02:26")
TELL_S = 5.0
# Of the offset of a record that is about what is missing before a line, which has one of its own.
_BEFORE = "-"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a container's lines are in the store: the place of the first that may not be, and its time."""

    place: Place
    time: str


@dataclass(slots=True)
class _Omission:
    """What a limit left out, from its first line to where the next one is kept."""

    position: int
    time: str
    reached: Reached
    last: str = ""
    lines: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Tally:
    """What was counted of one container since somebody took it: bytes and lines that were kept, or left out."""

    lines: int = 0
    bytes: int = 0
    left_out_bytes: int = 0
    refused_lines: int = 0


class Intake:
    """The way of one container's lines to records, which are lines of JSON.

    `stored` names records that the store has already, by the file's digest and the offset in it; `time` is of the line
    from which on it goes on.
    """

    def __init__(
        self,
        container: str,
        owner: ContainerOwner,
        source: Source,
        limits: Limits,
        stored: Iterable[tuple[str, str]],
        time: str = "",
    ) -> None:
        self.owner, self.source = owner, source
        self.service = service_key(owner.tenant, owner.service)
        self._container, self._limits, self._stored = container, limits, set(stored)
        self._entries = Entries()
        self._omission: _Omission | None = None
        self._time = time
        self.tally = Tally()

    @property
    def mark(self) -> Mark | None:
        """How far it is with what it gave records of; None while nothing was read."""
        begun = [(self.source.position, self._time)]
        if self._entries.begun is not None:
            begun.append(self._entries.begun)
        if self._omission is not None:
            begun.append((self._omission.position, self._omission.time))
        position, moment = min(begun)
        place = self.source.place(position)
        return Mark(place, moment) if place and moment else None

    def take(self, piece: Piece) -> Iterator[bytes]:
        """Take in a piece of the log and give the records that it completes."""
        if piece.lost:
            yield from self._records(self._entries.end())
            said = "lines before this one may be missing: their file was gone when it was to be read"
            yield from self._tell(piece.position, time_of(piece.lines[0]), said, _BEFORE)
        position = piece.position
        for raw in piece.lines:
            yield from self._take(position, raw)
            position += len(raw) + 1

    def _take(self, position: int, raw: bytes) -> Iterator[bytes]:
        written = time_of(raw)
        self._time = written or self._time
        reached = self._limits.take(self.service, written, len(raw)) if written else ""
        if reached:
            yield from self._leave_out(position, written, reached, len(raw))
            return
        yield from self._tell_omission()
        line = parse_line(position, raw)
        if line is None:
            self.tally.refused_lines += 1
            return
        self.tally.lines += 1
        self.tally.bytes += len(raw)
        yield from self._records(self._entries.take(line))

    def _leave_out(self, position: int, written: str, reached: Reached, size: int) -> Iterator[bytes]:
        if self._omission is not None and self._omission.time[:_MINUTE] != written[:_MINUTE]:
            yield from self._tell_omission()
        if self._omission is None:
            # What was begun is whole as it is: nothing is joined over a gap.
            yield from self._records(self._entries.end())
            self._omission = _Omission(position, written, reached)
        self._omission.last = written
        self._omission.lines += 1
        self._omission.bytes += size
        self.tally.left_out_bytes += size

    def settle(self, unix_s: float) -> Iterator[bytes]:
        """Give the records of what nothing is added to that is written from now on."""
        if self._omission and unix_s - datetime.fromisoformat(self._omission.last).timestamp() > TELL_S:
            yield from self._tell_omission()
        yield from self._records(self._entries.settle(unix_s))

    def end(self) -> Iterator[bytes]:
        """Give the records of all that was begun: the container is gone."""
        yield from self._tell_omission()
        yield from self._records(self._entries.end())

    def _tell_omission(self) -> Iterator[bytes]:
        """Say in the log itself what of it is missing."""
        if (left := self._omission) is not None:
            self._omission = None
            omitted = f"{render_count(left.lines, 'line')} ({left.bytes} bytes)"
            said = f"{omitted} left out: more than a service may write in a {left.reached}"
            yield from self._tell(left.position, left.time, said)

    def _tell(self, position: int, time: str, said: str, before: str = "") -> Iterator[bytes]:
        entry = Entry(position, time, "runyard", f"[runyard] {said}")
        yield from self._record(entry, {"severity": "WARNING"}, before)

    def _records(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        for each in entries:
            # The store takes no entry without a text, and nobody misses one.
            if each.text:
                fields = fields_of(each.text) if not each.cut else {}
                yield from self._record(each, fields)

    def _record(self, entry: Entry, fields: dict[str, str], before: str = "") -> Iterator[bytes]:
        place = self.source.place(entry.position)
        file, at = (place.head, place.offset) if place else ("", entry.position)
        offset = f"{before}{at}"
        if (file, offset) in self._stored:
            self._stored.discard((file, offset))
            return
        mark = f" [runyard: {entry.cut} characters cut]" if entry.cut else ""
        own = {
            "_time": entry.time,
            "_msg": entry.text + mark,
            "service": self.owner.service,
            "revision": self.owner.revision,
            "instance": self.owner.instance,
            "container": self.owner.container,
            "output": entry.output,
            "id": self._container,
            "file": file,
            "offset": offset,
        }
        yield json.dumps(fields | own, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
