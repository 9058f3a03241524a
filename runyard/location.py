"""Location: a place in a manifest file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a manifest file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def escape_name(file: str) -> str:
    """Give a file's name as a message may show it, what is not printable escaped."""
    return file if file.isprintable() else file.encode("unicode_escape", "backslashreplace").decode("ascii")
