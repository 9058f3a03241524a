"""Record: an entry as the store keeps it, with the fields of its JSON as Cloud Logging understands them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runyard.contracts import SEVERITIES

# What libraries write instead.
_ALIASES = {
    **{"TRACE": "DEBUG", "VERBOSE": "DEBUG", "INFORMATION": "INFO", "WARN": "WARNING", "ERR": "ERROR"},
    **{"FATAL": "CRITICAL", "CRIT": "CRITICAL", "PANIC": "EMERGENCY", "EMERG": "EMERGENCY"},
    # pino and bunyan, whose numbers are none of Cloud Logging's, which are hundreds.
    **{"10": "DEBUG", "20": "DEBUG", "30": "INFO", "40": "WARNING", "50": "ERROR", "60": "CRITICAL"},
    **{str(number * 100): name for number, name in enumerate(SEVERITIES)},
}
_LEVELS = ("severity", "level", "levelname", "lvl")
PAYLOAD = "jsonPayload"
REQUEST = "httpRequest"
# Which of an entry's own fields a line may say, by the keys of its JSON.
_LIFTED = {
    "logging.googleapis.com/trace": "trace",
    "logging.googleapis.com/spanId": "spanId",
}
# One record's; the store refuses a line of more than a thousand, and a name of more than 128 bytes.
MOST_FIELDS = 100
MOST_NAME_BYTES = 128


def fields_of(text: str) -> dict[str, str]:
    """Give the fields of a line that is an object of JSON; nothing for another line.

    They are `severity`, `trace`, `spanId`, and below `jsonPayload.` and `httpRequest.` what it has itself. No field of
    a line has the name of one that says whose it is.
    """
    if not (text.startswith("{") and text.endswith("}")):
        return {}
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(said, dict):
        return {}
    found: dict[str, str] = {}
    if severity := severity_of(said):
        found["severity"] = severity
    for name, value in _leaves(said):
        if len(found) >= MOST_FIELDS:
            break
        if len(name.encode()) <= MOST_NAME_BYTES and value:
            found[name] = value
    return found


def severity_of(said: Mapping[str, Any]) -> str:
    """Give Cloud Logging's severity of a line; empty where it says none that is known."""
    for key in _LEVELS:
        value = said.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            name = str(value).upper()
            return name if name in SEVERITIES else _ALIASES.get(name, "")
    return ""


def _leaves(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the values that are no objects, by their paths, in the order in which they were written."""
    waiting: list[tuple[str, Any]] = [(_name_of(key, value), value) for key, value in reversed(list(said.items()))]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{name}.{key}", each) for key, each in reversed(list(value.items()))]
        elif value is not None:
            yield _clean(name), _clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _name_of(key: str, value: Any) -> str:
    if key == REQUEST and isinstance(value, dict):
        return REQUEST
    return _LIFTED.get(key, f"{PAYLOAD}.{key}") if isinstance(value, str) else f"{PAYLOAD}.{key}"


def _clean(text: str) -> str:
    # Half of a pair of UTF-16, which JSON may have and UTF-8 may not.
    return text.encode("utf-8", "replace").decode()
