"""Log messages: what instances wrote, as the logs' part of a stack tells it of one service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runyard.codec import VERSION

# Of Cloud Logging (LogSeverity), from the least to the worst.
SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
# As many entries as one answer has at most.
MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What a container wrote at once: a line, or a stack trace.

    `id` names it for good. `time` is the engine's, of its first line (RFC 3339), `output` stdout or stderr, `fields`
    what a line has that is an object of JSON: `severity`, `trace`, `spanId`, `jsonPayload.*` and `httpRequest.*`.
    """

    id: str
    time: str
    revision: str
    instance: str
    container: str
    output: str
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        """Cloud Logging's, as the line says it; empty where it says none."""
        return self.fields.get("severity", "")


@dataclass(frozen=True, slots=True)
class LogPage:
    """The newest entries that were asked for, the oldest of them first."""

    entries: tuple[LogEntry, ...] = ()
    version: int = VERSION
