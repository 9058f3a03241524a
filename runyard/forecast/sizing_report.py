"""Reports of sizes: idle time, limits and what was measured, side by side; equal sizings give equal bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from runyard import table
from runyard.forecast.metered import Sizing
from runyard.forecast.report import render_money

_HEAD = ("", "idle", "cpu", "p95", "would do", "memory", "peak", "would do", "saving")
_RIGHT = tuple(range(1, len(_HEAD)))
_MIB = 1024**2
_NOTE = (
    "{currency} a month; what was measured and 15 %: CPU of busy minutes at their 95th percentile, memory at its peak."
)


def render_sizings(sizings: Sequence[Sizing], currency: str) -> str:
    """Render a table, and on what it rests; nothing where nothing was measured for a day."""
    if not sizings:
        return ""
    rows = table.render_columns([_HEAD, *map(_row, sizings)], right=_RIGHT)
    return "\n".join(["", *rows, "", _NOTE.format(currency=currency)]) + "\n"


def render_sizings_markdown(sizings: Sequence[Sizing], currency: str) -> str:
    """Render the same as Markdown."""
    if not sizings:
        return ""
    rows = table.render_markdown(("service", *_HEAD[1:]), [*map(_row, sizings)], right=_RIGHT)
    return "\n".join(["", *rows, "", _NOTE.format(currency=currency)]) + "\n"


def describe_sizings(sizings: Sequence[Sizing]) -> list[dict[str, Any]]:
    """Describe sizings as plain data, each with the limits as a manifest says them; null where none would change."""
    return [
        {**dataclasses.asdict(each), "saving": str(each.saving), "limits": _limits(each) if each.differs else None}
        for each in sizings
    ]


def _limits(sizing: Sizing) -> dict[str, str]:
    return {"cpu": f"{sizing.cpu_advised_millis}m", "memory": f"{sizing.memory_advised_bytes // _MIB}Mi"}


def _row(sizing: Sizing) -> tuple[str, ...]:
    peak = -(-sizing.memory_peak_bytes // _MIB)
    cpu = (f"{sizing.cpu_millis}m", f"{sizing.cpu_p95_millis}m", f"{sizing.cpu_advised_millis}m")
    memory = (f"{sizing.memory_bytes // _MIB}Mi", f"{peak}Mi", f"{sizing.memory_advised_bytes // _MIB}Mi")
    name = f"  {sizing.tenant}/{sizing.service}"
    return (name, f"{sizing.idle_percent} %", *cpu, *memory, render_money(sizing.saving))
