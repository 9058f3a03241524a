"""Waivers: rules that a service sets aside until a day, for a reason, in its manifest."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass

from runyard.manifest.model import Service

ANNOTATION = "runyard.dev/waive"
# A year, of which any may be a leap year: what is set aside for longer was meant to be forgotten.
DAYS_AT_MOST = 366
_FORM = re.compile(r"(?P<rule>[a-z][-a-z0-9]*) until (?P<until>[0-9]{4}-[0-9]{2}-[0-9]{2}) because (?P<reason>\S.*)")


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule set aside for a service, the day `until` included."""

    tenant: str
    service: str
    rule: str
    until: str
    reason: str

    def holds(self, day: str) -> bool:
        """Tell whether it counts on an ISO date: neither after its day, nor more than a year before."""
        return day <= self.until <= last_day(day)


def last_day(day: str) -> str:
    """Give the last ISO date until which a waiver may count that is written on this one."""
    last = min(datetime.date.fromisoformat(day).toordinal() + DAYS_AT_MOST, datetime.date.max.toordinal())
    return datetime.date.fromordinal(last).isoformat()


def parse_waivers(service: Service) -> Iterator[Waiver | str]:
    """Parse a service's waivers; what is none comes as the text that says why."""
    for part in service.annotations.get(ANNOTATION, "").split(";"):
        text = part.strip()
        if not text:
            continue
        match = _FORM.fullmatch(text)
        # The reason stands in every report: no escape sequence may rewrite what a terminal shows of it.
        if match is None or not _is_day(match["until"]) or not text.isprintable():
            yield f"waiver must be `rule until 2027-01-31 because reason`, got {text!r}"
        else:
            yield Waiver(service.tenant, service.name, match["rule"], match["until"], match["reason"])


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
