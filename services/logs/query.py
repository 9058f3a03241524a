"""Query: what may be asked of a service's log, and the same in LogsQL, in which nothing of it is more than a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runyard.contracts import MOST_ENTRIES, SEVERITIES, LogEntry
from runyard.errors import UsageError
from runyard.names import DNS_LABEL
from services.logs.record import MOST_NAME_BYTES

# The fields of a record that say whose it is and where it was, of no line's making.
OWN = ("service", "revision", "instance", "container", "output", "id", "file", "offset")
_INSTANCE = re.compile(r"[0-9a-f]{1,16}")
# As the gateway takes a caller's; its own are 32 hexadecimal digits.
_REQUEST = re.compile(r"[0-9A-Za-z._-]{8,128}")
_FIELD = re.compile(r"(?:jsonPayload|httpRequest)\.[^=\s]{1,128}|trace|spanId|severity")
_MOST_PATTERN = 1000
_KEYS = ("since", "until", "revision", "instance", "grep", "request", "severity", "field", "limit")


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is asked of the log of one service; what is empty asks for everything.

    Times are RFC 3339, `since` the first and `until` the last that counts. `grep` is a regular expression (RE2) that
    an entry's text has, `request` an id in it, `severity` the least, `fields` what fields must be.
    """

    service: str
    since: str = ""
    until: str = ""
    revision: str = ""
    instance: str = ""
    grep: str = ""
    request: str = ""
    severity: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    limit: int = 100

    def logsql(self) -> str:
        """Write it in LogsQL."""
        stream = [("service", self.service), ("revision", self.revision), ("instance", self.instance)]
        filters = ["{" + ",".join(f"{name}={_quoted(value)}" for name, value in stream if value) + "}"]
        if self.request:
            filters.append(f"_msg:{_quoted(self.request)}")
        if self.severity:
            worse = SEVERITIES[SEVERITIES.index(self.severity) :]
            filters.append(f"severity:in({','.join(map(_quoted, worse))})")
        filters += [f"{_quoted(name)}:={_quoted(value)}" for name, value in self.fields]
        if self.grep:
            # The costliest last.
            filters.append(f"_msg:~{_quoted(self.grep)}")
        return " ".join(filters)


def parse_query(service: str, asked: Iterable[tuple[str, str]]) -> LogQuery:
    """Parse the parameters of a question; UsageError names the one that does not fit, with what was seen."""
    found: dict[str, str] = {}
    fields: list[tuple[str, str]] = []
    for name, value in asked:
        if name not in _KEYS:
            raise UsageError(f"log: {name}: must be one of {', '.join(_KEYS)}")
        if name == "field":
            key, is_field, wanted = value.partition("=")
            if not is_field or not _FIELD.fullmatch(key) or len(key.encode()) > MOST_NAME_BYTES:
                rule = "must be NAME=VALUE, of jsonPayload.*, httpRequest.*, trace, spanId or severity"
                raise UsageError(f"log: field: {rule}, got {value[:200]!r}")
            fields.append((key, wanted))
        elif name in found:
            raise UsageError(f"log: {name}: must be given once")
        else:
            found[name] = value
    limit = _limit(found.pop("limit", str(LogQuery("").limit)))
    _check("service", service, DNS_LABEL.fullmatch(service), "a DNS label")
    for name in ("since", "until"):
        _check(name, found.get(name, ""), _is_time(found.get(name, "")), "a time with an offset (RFC 3339)")
    _check("revision", found.get("revision", ""), DNS_LABEL.fullmatch(found.get("revision") or "a"), "a DNS label")
    instance = found.get("instance", "")
    _check("instance", instance, _INSTANCE.fullmatch(instance or "a"), "an instance's number")
    request = found.get("request", "")
    _check("request", request, _REQUEST.fullmatch(request or "a" * 8), "8 to 128 letters, digits, dots and dashes")
    severity = found.get("severity", "")
    _check("severity", severity, (severity or SEVERITIES[0]) in SEVERITIES, f"one of {', '.join(SEVERITIES)}")
    pattern = found.get("grep", "")
    _check("grep", pattern[:80], len(pattern) <= _MOST_PATTERN, f"at most {_MOST_PATTERN} characters")
    return LogQuery(service, **found, fields=tuple(fields), limit=limit)


def _check(name: str, value: str, fits: object, rule: str) -> None:
    if not fits:
        raise UsageError(f"log: {name}: must be {rule}, got {value[:200]!r}")


def _limit(text: str) -> int:
    fits = re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= MOST_ENTRIES
    _check("limit", text, fits, f"a number from 1 to {MOST_ENTRIES}")
    return int(text)


def _is_time(text: str) -> bool:
    try:
        return not text or (len(text) >= len("2026-11-28T02:26Z") and datetime.fromisoformat(text).tzinfo is not None)
    except ValueError:
        return False


def stored_query(container: str) -> str:
    """Ask in LogsQL which records are stored of a container."""
    return f"id:={_quoted(container)} | fields file, offset"


def entry_of(record: Mapping[str, Any]) -> LogEntry:
    """Read an entry out of a record of the store."""
    fields = {name: value for name, value in record.items() if name not in OWN and not name.startswith("_")}
    return LogEntry(
        id=f"{record['id'][:12]}-{record['file'][:8]}-{record['offset']}",
        time=record["_time"],
        revision=record["revision"],
        instance=record["instance"],
        container=record["container"],
        output=record["output"],
        text=record["_msg"],
        fields=fields,
    )


def in_order(records: Iterable[Mapping[str, Any]]) -> list[LogEntry]:
    """Read entries and put them in order: by time, and where the engine's clock stood still as they were written."""
    found = sorted(records, key=lambda each: (_moment(each["_time"]), each["file"], int(each["offset"])))
    return [entry_of(each) for each in found]


def _moment(time: str) -> tuple[str, str]:
    """Give a time of UTC so that texts compare as moments, with nanoseconds as long as they were written."""
    second, _, fraction = time.removesuffix("Z").partition(".")
    return second, fraction.ljust(9, "0")


def _quoted(text: str) -> str:
    """Quote a text as Go and LogsQL read it."""
    return json.dumps(text, ensure_ascii=False)
