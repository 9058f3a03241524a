"""Entries: lines of one container joined to what was written at once, such as a stack trace. Pure.

What is joined depends on the lines and their times alone, so that lines that are read again make the same entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.logs.lines import Line

# Longer ones are cut. Cloud Logging takes 256 KiB of everything; JSON's fields are kept beside the text here.
MOST_CHARACTERS = 128 * 1024
MOST_LINES = 1_000
# A trace is written at once; what comes later is another matter.
GAP_S = 0.5
# How much later than it was written a line may be in the file.
SLACK_S = 0.25
# Python's logging writes a message and its traceback at once, and a traceback alone begins something new.
_TOGETHER_S = 0.01

_MORE = re.compile(r"[ \t]|Caused by: |Suppressed: |\.{3} \d+ (?:more|common)|[\])}]+[,;]?$")
_TRACEBACK = "Traceback (most recent call last):"
_LINK = re.compile(r"During handling of the above exception|The above exception was the direct cause")
_GO = re.compile(r"panic: |fatal error: |goroutine \d+ \[")
_GO_MORE = re.compile(r"$|\t|goroutine \d+ \[|\[signal |created by |exit status \d|\S+\(.*\)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """What was written at once: at the place and time of its first line; `cut` counts the characters left out."""

    position: int
    time: str
    output: str
    text: str
    cut: int = 0


@dataclass(slots=True)
class _Group:
    """Lines that are being joined; `state` says what may still come, `open` that the last line has not ended."""

    first: Line
    last: Line
    state: str = "plain"
    pieces: list[str] = field(default_factory=list)
    characters: int = 0
    cut: int = 0
    lines: int = 1
    open: bool = False

    def add(self, text: str) -> None:
        room = max(0, MOST_CHARACTERS - self.characters)
        self.pieces.append(text[:room])
        self.characters += len(text[:room])
        self.cut += len(text) - len(text[:room])

    def entry(self) -> Entry:
        return Entry(self.first.position, self.first.time, self.first.output, "".join(self.pieces), self.cut)


class Entries:
    """The entries of one container: each of its outputs is joined by itself."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    @property
    def begun(self) -> tuple[int, str] | None:
        """The position and time of the first line that no entry was given for yet."""
        return min(((each.first.position, each.first.time) for each in self._groups.values()), default=None)

    def take(self, line: Line) -> Iterator[Entry]:
        """Take in a line, and give the entry that it ends."""
        group = self._groups.get(line.output)
        if group is not None and (group.open or _continues(group, line)):
            if not group.open:
                group.add("\n")
                group.lines += 1
            group.add(line.text)
            group.last, group.open = line, not line.ended
            return
        if group is not None:
            yield group.entry()
        group = _Group(line, line, _state_of(line), open=not line.ended)
        group.add(line.text)
        if group.state == "whole" and line.ended:
            # Nothing continues it, so nobody waits for it.
            self._groups.pop(line.output, None)
            yield group.entry()
        else:
            self._groups[line.output] = group

    def settle(self, unix_s: float) -> Iterator[Entry]:
        """Give the entries to which nothing belongs that is written from now on."""
        for output, group in list(self._groups.items()):
            if unix_s - group.last.unix_s > GAP_S + SLACK_S:
                del self._groups[output]
                yield group.entry()

    def end(self) -> Iterator[Entry]:
        """Give all that was begun: no more lines come, or some were left out."""
        found = sorted(self._groups.values(), key=lambda each: each.first.position)
        self._groups.clear()
        yield from (each.entry() for each in found)


def _state_of(line: Line) -> str:
    if line.text.startswith("{") and line.text.endswith("}"):
        return "whole"
    if line.text == _TRACEBACK:
        return "python"
    return "go" if _GO.match(line.text) else "plain"


def _continues(group: _Group, line: Line) -> bool:
    """Tell whether a line belongs to a group, and what may follow it then."""
    text = line.text
    if group.state == "whole" or group.lines >= MOST_LINES:
        return False
    following = _following(group.state, text)
    if not following:
        return False
    gap = _TOGETHER_S if (group.state, following) == ("plain", "python") else GAP_S
    if line.unix_s - group.last.unix_s > gap:
        return False
    group.state = following
    return True


def _following(state: str, text: str) -> str:
    """Give the state after a line that continues a group; empty if it does not."""
    if state == "go":
        return "go" if _GO_MORE.match(text) else ""
    if state == "python":
        # The frames are indented; the first line that is not names the exception.
        return "python" if text[:1] in (" ", "\t") else "raised"
    if state in ("raised", "linked"):
        if _LINK.match(text):
            return "linked"
        if text == _TRACEBACK and state == "linked":
            return "python"
        return state if not text or text[0] in " \t" else ""
    if text == _TRACEBACK:
        return "python"
    return "plain" if _MORE.match(text) else ""
