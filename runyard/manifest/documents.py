"""Documents as they were read: plain data, and the place of every key and value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from runyard.manifest.model import Location
from runyard.manifest.problems import Path


class Mark(Protocol):
    """A position as PyYAML gives it, counted from 0."""

    @property
    def line(self) -> int:
        """Line, from 0."""

    @property
    def column(self) -> int:
        """Column, from 0."""


# By identity of the mapping or list that holds them, because plain data has no room for positions of its own: for
# each key of a mapping where the key and the value start, for each item of a list where it starts.
Places = dict[int, Any]


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One YAML document; keys without a value are not in `data`, as Kubernetes means it."""

    file: str
    data: Any
    start: Mark
    places: Places

    def locate(self, path: Path, at_key: bool = False) -> Location:
        """Give the place of a value or of its key; of the nearest thing above it if it is not there."""
        mark, value = self.start, self.data
        for depth, part in enumerate(path):
            held = self.places.get(id(value))
            if isinstance(held, dict) and part in held:
                key_mark, value_mark = held[part]
                mark = key_mark if at_key and depth == len(path) - 1 else value_mark
            elif isinstance(held, list) and isinstance(part, int) and part < len(held):
                mark = held[part]
            else:
                break
            value = _step(value, part)
        return Location(self.file, mark.line + 1, mark.column + 1)


def _step(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
