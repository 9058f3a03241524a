"""Journal: one JSON line an event on standard output; never an environment variable, a header or a secret."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol


class Journal(Protocol):
    """Something that writes down events."""

    def write(self, event: str, **fields: Any) -> None:
        """Write one event with its fields."""
        ...


class JsonJournal:
    """Writes events as JSON lines; `now` gives the wall clock, which is only ever written, never decided on."""

    def __init__(
        self,
        print_line: Callable[[str], object] = lambda line: print(line, file=sys.stdout, flush=True),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._print_line = print_line
        self._now = now

    def write(self, event: str, **fields: Any) -> None:
        """Write one event with its fields."""
        head = {"time": self._now().isoformat(timespec="milliseconds"), "event": event}
        self._print_line(json.dumps({**head, **fields}, default=str))
