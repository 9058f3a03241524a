"""Refusal: what nginx says against a configuration, in terms of the manifest that it came from.

nginx names a line of nginx.conf, or a value and no line. Rendering tells which fields went into which line, and the
caller tells where in a manifest each field was said.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from runyard.gateway import GatewayConfig, pieces

# `nginx: [emerg] ...` of a test, `2026/11/23 11:00:00 [emerg] 1#1: ...` of a running one.
_MESSAGE = re.compile(r"\[(?:emerg|alert|crit|error)\](?: \d+#\d+:)? (?P<text>.*)")
_LINE = re.compile(r" in \S+:(?P<line>\d+)$")


def fields_by_line(config: GatewayConfig) -> dict[int, tuple[str, ...]]:
    """Tell for each line of the rendered configuration, from 1, which fields of `config` stand in it."""
    log = _Log()
    for piece in pieces(config, _Traced(config, log)):
        log.line += piece.count("\n")
    return {line: tuple(dict.fromkeys(found)) for line, found in log.found.items()}


def explain(output: str, config: GatewayConfig, places: Mapping[str, str]) -> str:
    """Say what nginx refuses, with the place of the field behind it as far as `places` (field to place) knows it."""
    texts = [found["text"] for line in output.splitlines() if (found := _MESSAGE.search(line))]
    text = texts[0] if texts else output.strip() or "nginx gave no reason"
    place = next((places[field] for field in _fields(text, config) if field in places), None)
    said = _LINE.sub("", text)
    return f"{place}: nginx refuses it: {said}" if place else f"gateway: nginx refuses the configuration: {said}"


def _fields(text: str, config: GatewayConfig) -> tuple[str, ...]:
    if found := _LINE.search(text):
        return fields_by_line(config).get(int(found["line"]), ())
    named = [f"listeners[{index}]" for index, each in enumerate(config.listeners) if f" {each.address} " in f"{text} "]
    return (*named, "listeners") if named else ()


class _Log:
    """The fields that were read so far, by the line that was being written."""

    def __init__(self) -> None:
        self.line = 1
        self.found: dict[int, list[str]] = {}


class _Traced:
    """Stands for a dataclass while it is rendered and notes each field that is read."""

    # Its own names start with `_`, so that none of them is a field's.
    __slots__ = ("_log", "_path", "_subject")

    def __init__(self, subject: Any, log: _Log, path: str = "") -> None:
        self._subject = subject
        self._log = log
        self._path = path

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(type(self._subject), name, None)
        if isinstance(attribute, property) and attribute.fget is not None:
            # What a property reads is noted in its place.
            return attribute.fget(self)
        value = getattr(self._subject, name)
        # Only the outermost field, with its index: that is as far as places go.
        field = self._path or name
        self._log.found.setdefault(self._log.line, []).append(field)
        return self._wrap(value, field)

    def _wrap(self, value: Any, field: str) -> Any:
        if isinstance(value, tuple):
            return tuple(self._wrap(each, f"{field}[{index}]") for index, each in enumerate(value))
        return _Traced(value, self._log, field) if dataclasses.is_dataclass(value) else value
