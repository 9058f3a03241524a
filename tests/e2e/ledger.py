"""Usage for ledgers of the end-to-end tests."""

from __future__ import annotations

# Writes an hour of a month that is over, as the collector does, where the collector runs.
AN_HOUR = """
from datetime import UTC, datetime
from runyard.contracts import UsageAmounts, UsageWindow
from runyard.database import connect
from services.billing.adapters.database import writing
from services.billing.adapters.usage import take_windows
from services.billing.settings import parse_settings
import os
first = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp()) * 1000
amounts = UsageAmounts(
    active_ms=30000, allocated_ms=60000, requests=100, cpu_limit_millis=1000, memory_limit_bytes=2**30
)
run = ("shop", "web", "web-1", "i1", "c1", first)
starts = [first + minute * 60000 for minute in range(60)]
windows = [UsageWindow(*run, start, start + 60000, "usage", amounts) for start in starts]
with writing(connect(parse_settings(os.environ).database)) as connection:
    take_windows(connection, [(window, "request") for window in windows])
"""
