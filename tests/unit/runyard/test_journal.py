from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from runyard.journal import JsonJournal


def test_event_is_one_json_line_with_its_time() -> None:
    lines: list[str] = []
    journal = JsonJournal(lines.append, lambda: datetime(2026, 1, 2, 3, 4, 5, 678901, UTC))
    journal.write("instance removed", instance="7f", where=Path("/x"), text="two\nlines")
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert json.loads(lines[0]) == {
        "time": "2026-01-02T03:04:05.678+00:00",
        "event": "instance removed",
        "instance": "7f",
        "where": "/x",
        "text": "two\nlines",
    }
