"""Chart: the daily cost of a month by service, as bars on top of each other, in units of the picture; pure."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from runyard.contracts import DailyCost

WIDTH, HEIGHT = 680, 150
# Colours that can be told apart in print and by most eyes (Okabe and Ito, 2008); the last is for all further services.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98")
_GAP = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a day's bar; the picture's origin is at its upper left."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, the name of each colour, each day's label at its middle, and what the picture's height stands for."""

    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str], ...]
    labels: tuple[tuple[float, str], ...]
    highest: Decimal


def draw_chart(month: str, days: Sequence[DailyCost]) -> Chart | None:
    """Draw a month, the dearest service at the bottom; None where nothing cost anything."""
    totals: dict[str, Decimal] = {}
    by_day: dict[str, Decimal] = {}
    for each in days:
        totals[each.service] = totals.get(each.service, Decimal(0)) + each.amount
        by_day[each.day] = by_day.get(each.day, Decimal(0)) + each.amount
    highest = max(by_day.values(), default=Decimal(0))
    if not highest:
        return None
    services = sorted(totals, key=lambda each: (-totals[each], each))
    colours = {service: COLOURS[min(at, len(COLOURS) - 1)] for at, service in enumerate(services)}
    year, number = map(int, month.split("-"))
    count = calendar.monthrange(year, number)[1]
    step = WIDTH / count
    bars = []
    for day in sorted(by_day):
        left, top = (date.fromisoformat(day).day - 1) * step, float(HEIGHT)
        costs = {each.service: each.amount for each in days if each.day == day}
        for service in (each for each in services if costs.get(each)):
            height = float(costs[service] / highest) * HEIGHT
            top -= height
            x, y = round(left + _GAP / 2, 2), round(top, 2)
            bars.append(Bar(x, y, round(step - _GAP, 2), round(height, 2), colours[service]))
    labels = tuple((round((day - 0.5) * step, 2), str(day)) for day in range(1, count + 1) if day == 1 or day % 5 == 0)
    return Chart(tuple(bars), _legend(services, colours), labels, highest)


def _legend(services: Sequence[str], colours: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Name the colours; services that share the last one are told as how many they are."""
    own, rest = services[: len(COLOURS) - 1], services[len(COLOURS) - 1 :]
    found = [(service, colours[service]) for service in own]
    if rest:
        found.append((rest[0] if len(rest) == 1 else f"{len(rest)} others", COLOURS[-1]))
    return tuple(found)
