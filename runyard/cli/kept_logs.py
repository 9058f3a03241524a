"""Kept logs: what instances wrote that there are or were, from the stack's store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Protocol

from runyard.cli.live import Target
from runyard.contracts import MOST_ENTRIES, LogEntry, LogPage

# How often the store is asked for what is new, and how late an entry may come into it: the part reads four times a
# second, waits for the rest of a trace, and the store shows what it took in a second later.
_LOOK_S = 1.0
_LATE = timedelta(seconds=10)
Asked = Sequence[tuple[str, str]]


class LogReader(Protocol):
    """What kept logs need of a stack."""

    def read(self, tenant: str, service: str, asked: Asked) -> LogPage:
        """Give the newest entries that were asked for."""
        ...


def render_entry(entry: LogEntry) -> str:
    """Render an entry for people, as lines from the engine are."""
    return f"{entry.instance}/{entry.container} | {entry.text}"


def describe_entry(entry: LogEntry) -> dict[str, Any]:
    """Describe an entry as plain data."""
    return asdict(entry)


def follow_entries(
    reader: LogReader, target: Target, asked: Asked, limit: int, wait: Callable[[float], object] = time.sleep
) -> Iterator[LogEntry | str]:
    """Give entries as they come, each once, for ever; a text says what was left out."""
    most = max(limit, 1)
    page = reader.read(target.tenant, target.service, [*asked, ("limit", str(most))])
    yield from page.entries[max(0, len(page.entries) - limit) :]
    seen = {each.id: each.time for each in page.entries}
    # Where there are older ones than were asked for, they are no news.
    oldest = datetime.fromisoformat(page.entries[0].time) if len(page.entries) == most else None
    others = [(name, value) for name, value in asked if name != "since"]
    since = next((value for name, value in asked if name == "since"), "")
    while True:
        wait(_LOOK_S)
        if seen:
            since = (datetime.fromisoformat(max(seen.values())) - _LATE).isoformat()
        news = [*others, *([("since", since)] if since else []), ("limit", str(MOST_ENTRIES))]
        page = reader.read(target.tenant, target.service, news)
        fresh = [each for each in page.entries if each.id not in seen and _is_since(each, oldest)]
        if len(page.entries) == MOST_ENTRIES and fresh[:1] == [page.entries[0]]:
            yield f"more than {MOST_ENTRIES} entries at once: the oldest of them may be left out"
        yield from fresh
        seen = {each.id: each.time for each in page.entries} or seen


def _is_since(entry: LogEntry, oldest: datetime | None) -> bool:
    return oldest is None or datetime.fromisoformat(entry.time) >= oldest
