"""Which windows can be usage, and what is said of the others."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from runyard.contracts.window import WINDOW_MS
from services.billing.domain.window import AHEAD_MS, FIRST_MS, check_window
from tests.unit.services.billing.world import BUSY, at, window

NOW = at(1, 1)
A_MINUTE = "start_ms: must begin a minute that ends at end_ms"


def test_window_of_a_minute_is_usage() -> None:
    assert check_window(window(), NOW) == ""


@pytest.mark.parametrize(
    ("start_ms", "fits"), [(NOW + AHEAD_MS, True), (NOW + AHEAD_MS + WINDOW_MS, False), (FIRST_MS - WINDOW_MS, False)]
)
def test_window_is_of_a_time_that_can_be(start_ms: int, fits: bool) -> None:
    told = check_window(window(start_ms, started_ms=0), NOW)
    assert (
        told == ""
        if fits
        else told.startswith("start_ms: must be from 2020-01-01 00:00:00Z to 2026-10-01 01:05:00Z, got")
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tenant": "No"}, "tenant: must be a DNS label, got 'No'"),
        ({"service": "a.b"}, "service: must be a DNS label, got 'a.b'"),
        ({"revision": ""}, "revision: must be a DNS label, got ''"),
        ({"container": ""}, "container: must be 1 to 128 printable characters, got ''"),
        ({"container": "a\nb"}, "container: must be 1 to 128 printable characters, got 'a\\nb'"),
        ({"instance": "x" * 200}, f"instance: must be 1 to 128 printable characters, got {'x' * 128!r}"),
        ({"start_ms": at(1) + 1}, f"{A_MINUTE}, got {at(1) + 1} to {at(1) + WINDOW_MS}"),
        ({"end_ms": at(1) + 2 * WINDOW_MS}, f"{A_MINUTE}, got {at(1)} to {at(1) + 2 * WINDOW_MS}"),
        ({"started_ms": -1}, f"started_ms: must be before the window's end {at(1) + WINDOW_MS}, got -1"),
        ({"started_ms": at(2)}, f"started_ms: must be before the window's end {at(1) + WINDOW_MS}, got {at(2)}"),
    ],
)  # fmt: skip
def test_window_whose_names_or_times_do_not_fit_is_told(changes: dict[str, Any], said: str) -> None:
    assert check_window(dataclasses.replace(window(), **changes), NOW) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"requests": -1}, "amounts.requests: must be 0 to 9007199254740992, got -1"),
        ({"egress_bytes": 2**60}, f"amounts.egress_bytes: must be 0 to 9007199254740992, got {2**60}"),
        ({"memory_byte_ms": 2**81}, f"amounts.memory_byte_ms: must be 0 to {2**80}, got {2**81}"),
        ({"allocated_ms": 60_001}, "amounts.allocated_ms: must be at most the window (60000), got 60001"),
        ({"frozen_ms": 60_001}, "amounts.frozen_ms: must be at most allocated_ms (60000), got 60001"),
        ({"active_ms": 60_001}, "amounts.active_ms: must be at most the window (60000), got 60001"),
    ],
)
def test_window_whose_amounts_cannot_be_is_told(changes: dict[str, int], said: str) -> None:
    assert check_window(window(amounts=dataclasses.replace(BUSY, **changes)), NOW) == said
