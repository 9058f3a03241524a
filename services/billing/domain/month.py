"""Month: a calendar month of UTC, in which everything is billed, whatever clocks on walls do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from runyard.errors import UsageError

_FORM = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month; `starts` is its first day and `ends` the first of the next."""

    year: int
    number: int

    @property
    def starts(self) -> date:
        """The first day."""
        return date(self.year, self.number, 1)

    @property
    def ends(self) -> date:
        """The first day of the next month."""
        return self.next.starts

    @property
    def next(self) -> Month:
        """The month after."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def times(self) -> tuple[datetime, datetime]:
        """The moments at which it begins and ends."""
        return midnight(self.starts), midnight(self.ends)

    def is_over(self, now: datetime) -> bool:
        """Tell whether it has ended at a moment."""
        return now >= midnight(self.ends)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


def midnight(day: date) -> datetime:
    """Give the moment at which a day of UTC begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def parse_month(text: str) -> Month:
    """Parse a month such as `2026-11`; UsageError says what was seen."""
    match = _FORM.fullmatch(text)
    if match is None or not 2000 <= int(match[1]) < 9999:
        raise UsageError(f"month: must be a month such as 2026-11, got {text!r}")
    return Month(int(match[1]), int(match[2]))


def month_of(day: date) -> Month:
    """Give the month of a day."""
    return Month(day.year, day.month)
