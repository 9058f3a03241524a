"""Screen: a dashboard as lines of a terminal, whatever its width; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

from rich.text import Text

from runyard.dashboards import Line, PanelReading, Unit, render_value
from runyard.readable import readable

# What the course of a line is drawn with: the first where it does not change, the others from nothing to its most.
BLOCKS, ASCII = "─▁▂▃▄▅▆▇█", "-_.:=+*#@"
# Of each panel; those with the greatest last values.
MOST_LINES = 8
# From which widths on there are two panels beside each other, and a title beside its lines.
_BESIDE, _TITLED = 140, 74
_GAP, _VALUE, _LEAST_NAME = 4, 11, 8
# A shorter course tells nothing.
_COURSE = 8


@dataclass(frozen=True, slots=True)
class Screen:
    """What is shown: what it is of, what is wrong with it, and its panels of the last `minutes`."""

    heads: Sequence[str]
    problems: Sequence[str]
    panels: Sequence[PanelReading]
    minutes: int


@dataclass(frozen=True, slots=True)
class _Columns:
    """How wide the columns are: before the names, names, and courses, 0 where there is no room for any.

    Where it is `titled`, a title stands beside its lines, else above them.
    """

    titled: bool
    indent: int
    name: int
    course: int


def render_screen(screen: Screen, width: int, signs: str = BLOCKS) -> list[Text]:
    """Render what is wrong first; then a line for each of a panel, with its last value, its course and its most."""
    told = [(each, "bold" if at == 0 else "") for at, each in enumerate(screen.heads)]
    told += [(f"problem: {each}", "red") for each in screen.problems]
    lines = [
        Text(piece, style) for each, style in told for piece in wrap(readable(each), width, subsequent_indent="  ")
    ]
    lines.append(Text())
    beside = width >= _BESIDE
    columns = _columns(screen.panels, (width - _GAP) // 2 if beside else width)
    halves = _halves(screen.panels) if beside else (screen.panels,)
    sides = [
        [_head(screen, columns), *(line for each in half for line in _panel(each, columns, signs))] for half in halves
    ]
    if beside:
        lines += (_beside(left, right, (width - _GAP) // 2) for left, right in zip_longest(*sides, fillvalue=Text()))
    else:
        lines += sides[0]
    for each in lines:
        each.truncate(width)
    return lines


def _columns(panels: Sequence[PanelReading], width: int) -> _Columns:
    titled = width >= _TITLED
    indent = 2 + (max((len(each.panel.title) for each in panels), default=0) if titled else 0)
    longest = max((len(readable(line.name)) for each in panels for line in each.lines), default=0)
    name = max(min(longest, (width - indent - _VALUE) // 2), _LEAST_NAME)
    course = width - indent - name - _VALUE - 4 - _VALUE
    return _Columns(titled, indent, name, course if course >= _COURSE else 0)


def _head(screen: Screen, columns: _Columns) -> Text:
    text = " " * (columns.indent + columns.name) + "now".rjust(_VALUE)
    if columns.course:
        span = f"last {screen.minutes} min"
        text += f"  {span if len(span) <= columns.course else '':{columns.course}}  most"
    return Text(text, "dim")


def draw_course(values: Sequence[float | None], width: int, signs: str = BLOCKS) -> str:
    """Draw how values went, in at most so many signs, each for the greatest value of its part; a gap is a gap.

    It is drawn from nothing to the greatest of all, so that small changes of large values look small.
    """
    known = {each for each in values if each is not None}
    width = min(width, len(values))
    drawn = ""
    for at in range(width):
        part = values[len(values) * at // width : len(values) * (at + 1) // width]
        greatest = max((each for each in part if each is not None), default=None)
        drawn += " " if greatest is None else signs[0] if len(known) == 1 else _level(greatest, max(known), signs[1:])
    return drawn


def _level(value: float, most: float, signs: str) -> str:
    return signs[min(math.floor(max(value, 0) / most * len(signs)), len(signs) - 1)] if most > 0 else signs[0]


def _panel(found: PanelReading, columns: _Columns, signs: str) -> list[Text]:
    title = Text(found.panel.title, "bold")
    lines = [_line(each, found.panel.unit, columns, signs) for each in _shown(found.lines)]
    if not lines:
        lines = [Text("nothing yet", "dim")]
    elif len(found.lines) > len(lines):
        lines.append(Text(f"and {len(found.lines) - len(lines)} more", "dim"))
    lines = [Text.assemble(" " * columns.indent, each) for each in lines]
    if not columns.titled:
        return [title, *lines]
    lines[0] = Text.assemble(title, lines[0][len(title) :])
    return lines


def _shown(lines: Sequence[Line]) -> list[Line]:
    greatest = sorted(lines, key=lambda each: -math.inf if each.last is None else each.last, reverse=True)
    kept = {each.name for each in greatest[:MOST_LINES]}
    return [each for each in lines if each.name in kept]


def _line(line: Line, unit: Unit, columns: _Columns, signs: str) -> Text:
    name = Text(readable(line.name))
    name.truncate(columns.name, overflow="ellipsis", pad=True)
    text = Text.assemble(name, (render_value(line.last, unit).rjust(_VALUE), "bold"))
    if columns.course:
        most = max((each for each in line.values if each is not None), default=None)
        course = draw_course(line.values, columns.course, signs).ljust(columns.course)
        text = Text.assemble(text, "  ", (course, "cyan"), (f"  {render_value(most, unit)}", "dim"))
    return text


def _halves(panels: Sequence[PanelReading]) -> tuple[Sequence[PanelReading], Sequence[PanelReading]]:
    """Part panels so that both sides have about as many lines."""
    heights = [max(min(len(each.lines), MOST_LINES), 1) for each in panels]
    cut = min(range(len(panels) + 1), key=lambda at: abs(sum(heights[:at]) - sum(heights[at:])))
    return panels[:cut], panels[cut:]


def _beside(left: Text, right: Text, column: int) -> Text:
    text = Text.assemble(left, " " * (column + _GAP - len(left)), right)
    text.rstrip()
    return text
