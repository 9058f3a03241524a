"""Lines: what the engine's file has of a container, one JSON object a line. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime

# Docker's json-file driver writes the time last, so this is its own and not one that a container wrote.
_TIME = b'"time":"'
# Of UTC, as the engine writes it: texts of one length compare as moments.
_MOMENT = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.0-9]{0,12}Z")


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or one part of a long one: `position` is its source's.

    `time` is the engine's (RFC 3339), and `ended` says that the line ends with it.
    """

    position: int
    time: str
    output: str
    text: str
    ended: bool

    @property
    def unix_s(self) -> float:
        """When it was written, in seconds since 1970."""
        return datetime.fromisoformat(self.time).timestamp()


def time_of(raw: bytes) -> str:
    """Give the time at which the engine took a line in, without reading the line; empty for what is none."""
    found = _MOMENT.match(raw, raw.rfind(_TIME) + len(_TIME))
    return found[0].decode() if found else ""


def parse_line(position: int, raw: bytes) -> Line | None:
    """Parse a line of the file; None for what is none, as after a disk was full."""
    try:
        said = json.loads(raw)
        text, time, output = said["log"], said["time"], said["stream"]
        datetime.fromisoformat(time)
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(text, str) or not isinstance(output, str):
        return None
    ended = text.endswith("\n")
    # What is no UTF-8 the engine has replaced; half of a pair of UTF-16 it passes on, and no store takes it.
    text = text.encode("utf-8", "replace").decode()
    return Line(position, time, output, text.removesuffix("\n").removesuffix("\r") if ended else text, ended)
