"""Window: which of what a meter sends can be usage at all; pure."""

from __future__ import annotations

import dataclasses

from runyard.contracts import UsageAmounts, UsageWindow
from runyard.contracts.window import WINDOW_MS
from runyard.names import DNS_LABEL
from runyard.units import render_time

# Clocks of two hosts differ.
AHEAD_MS = 5 * WINDOW_MS
# 2020-01-01: before Runyard there was nothing to meter, and each month of usage is a table of its own.
FIRST_MS = 1_577_836_800_000
# What a column of the database holds with room for sums; no host has so much of anything.
_MOST = 2**53
# The memory of the largest host times a minute is more than the rest.
_MOST_MEMORY = 2**80
_ID_LENGTH = 128
_AMOUNTS = tuple(each.name for each in dataclasses.fields(UsageAmounts) if each.name != "estimated")


def check_window(window: UsageWindow, now_ms: int) -> str:
    """Say why a window cannot be usage, in one line; nothing when it can."""
    for key in ("tenant", "service", "revision"):
        value = getattr(window, key)
        if not DNS_LABEL.fullmatch(value):
            return f"{key}: must be a DNS label, got {value[:_ID_LENGTH]!r}"
    for key in ("container", "instance"):
        value = getattr(window, key)
        if not (value.isascii() and value.isprintable() and 0 < len(value) <= _ID_LENGTH):
            return f"{key}: must be 1 to {_ID_LENGTH} printable characters, got {value[:_ID_LENGTH]!r}"
    return _check_times(window, now_ms) or _check_amounts(window.amounts)


def _check_times(window: UsageWindow, now_ms: int) -> str:
    if window.start_ms % WINDOW_MS or window.end_ms != window.start_ms + WINDOW_MS:
        return f"start_ms: must begin a minute that ends at end_ms, got {window.start_ms} to {window.end_ms}"
    if not FIRST_MS <= window.start_ms <= now_ms + AHEAD_MS:
        first, last = (render_time(each / 1000) for each in (FIRST_MS, now_ms + AHEAD_MS))
        return f"start_ms: must be from {first} to {last}, got {window.start_ms}"
    if not 0 <= window.started_ms < window.end_ms:
        return f"started_ms: must be before the window's end {window.end_ms}, got {window.started_ms}"
    return ""


def _check_amounts(amounts: UsageAmounts) -> str:
    for key in _AMOUNTS:
        value, most = getattr(amounts, key), _MOST_MEMORY if key == "memory_byte_ms" else _MOST
        if not 0 <= value <= most:
            return f"amounts.{key}: must be 0 to {most}, got {value}"
    if amounts.allocated_ms > WINDOW_MS:
        return f"amounts.allocated_ms: must be at most the window ({WINDOW_MS}), got {amounts.allocated_ms}"
    if amounts.frozen_ms > amounts.allocated_ms:
        return f"amounts.frozen_ms: must be at most allocated_ms ({amounts.allocated_ms}), got {amounts.frozen_ms}"
    if amounts.active_ms > WINDOW_MS:
        return f"amounts.active_ms: must be at most the window ({WINDOW_MS}), got {amounts.active_ms}"
    return ""
