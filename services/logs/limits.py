"""Limits: how much of a service is kept, by the times of its lines, so that lines read again fare as before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# Bytes a second are the mean of so many seconds: the times up to their last digit name one such slot.
SLOT_S = 10
_SLOT = len("2026-11-28T02:26:0")
_DAY = len("2026-11-28")
# What is remembered of a service. What comes later finds its slot empty.
_SLOTS, _DAYS = 60, 3
Reached = Literal["", "second", "day"]


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """The bytes of a service that were kept, by slot and by day."""

    slots: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, int] = field(default_factory=dict)


class Limits:
    """What was kept of each service, against what may be."""

    def __init__(self, bytes_per_second: int, bytes_per_day: int, used: Mapping[str, ServiceUse] | None = None) -> None:
        self._slot_bytes, self._day_bytes = bytes_per_second * SLOT_S, bytes_per_day
        self._used = {name: (dict(use.slots), dict(use.days)) for name, use in (used or {}).items()}

    def export(self) -> dict[str, ServiceUse]:
        """Give what was kept as plain data."""
        return {name: ServiceUse(dict(slots), dict(days)) for name, (slots, days) in self._used.items()}

    def take(self, service: str, time: str, size: int) -> Reached:
        """Take in a line of that time (RFC 3339, UTC), or say which limit leaves it out."""
        slots, days = self._used.setdefault(service, ({}, {}))
        slot, day = time[:_SLOT], time[:_DAY]
        if days.get(day, 0) + size > self._day_bytes:
            return "day"
        if slots.get(slot, 0) + size > self._slot_bytes:
            return "second"
        for counts, key, most in ((slots, slot, _SLOTS), (days, day, _DAYS)):
            counts[key] = counts.get(key, 0) + size
            while len(counts) > most:
                del counts[min(counts)]
        return ""

    def keep(self, services: frozenset[str], today: str) -> None:
        """Forget services that are none of these and wrote nothing today."""
        for name, (_, days) in list(self._used.items()):
            if name not in services and max(days, default="") < today:
                del self._used[name]
