"""Pictures of a run as SVG, for a page with nothing from elsewhere: rates, instances, heat map and latency curve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from runyard.workload import buckets
from runyard.workload.outcome import Latency, Outcome, Stretch

WIDTH = 920
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 16, 30, 30
_ACROSS = WIDTH - _LEFT - _RIGHT
# Colours that those who see no red or no green tell apart (Okabe and Ito 2008), in print by their dashes too.
_BLUE, _ORANGE, _GREEN, _GREY, _SHADE = "#0072b2", "#d55e00", "#009e73", "#555555", "#eeeeee"
_STYLES = ((_GREY, "2 3"), (_ORANGE, "7 3"), (_BLUE, ""))
# Rows of the heat map for each doubling; finer ones show single requests alone.
_ROW = 5
# From few requests to many, dark on white as ink is (ColorBrewer's Blues at its ends).
_LIGHT, _DARK = (222, 235, 247), (8, 48, 107)
# The axis of percentiles ends at five nines.
_NINES = 5.0


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a picture's inside is, and what its height stands for; with `log` in powers of ten."""

    height: int
    low: float
    high: float
    log: bool = False

    def y(self, value: float) -> float:
        """Give the height at which a value stands."""
        if self.log:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.height - _BOTTOM - min(max(part, 0.0), 1.0) * (self.height - _TOP - _BOTTOM)


def draw_rates(outcome: Outcome) -> str:
    """Draw what was attempted, sent and served a second; where they part, something was wrong."""
    stretches = outcome.stretches
    curves = [
        ("attempted", [each.attempted / each.length_s for each in stretches]),
        ("sent", [each.sent / each.length_s for each in stretches]),
        ("served", [each.served / each.length_s for each in stretches]),
    ]
    highest = max([1.0, *(value for _, values in curves for value in values)])
    frame = _Frame(220, 0.0, highest)
    lines = [*_warm_up(outcome, frame), *_axes(frame, _even(highest), "requests a second"), *_seconds(outcome, frame)]
    for index, ((name, values), (colour, dashes)) in enumerate(zip(curves, _STYLES, strict=True)):
        path = "".join(
            f"{'L' if at else 'M'}{_x(outcome, each.at_s):.1f},{frame.y(value):.1f}"
            f"L{_x(outcome, each.at_s + each.length_s):.1f},{frame.y(value):.1f}"
            for at, (each, value) in enumerate(zip(stretches, values, strict=True))
        )
        lines += [_path(path, colour, dashes), *_legend(index, name, colour, dashes)]
    return _picture(frame.height, "Requests a second: attempted, sent and served", lines)


def draw_instances(outcome: Outcome) -> str:
    """Draw the ready instances of each service on the same axis of time; nothing where none were watched."""
    watched = [each for each in outcome.capacities if each.ready]
    if not watched:
        return ""
    highest = float(max(1, *(count for each in watched for _, count in each.ready)))
    frame = _Frame(150, 0.0, highest)
    lines = [*_axes(frame, _even(highest), "ready instances"), *_seconds(outcome, frame)]
    for index, each in enumerate(watched):
        colour, dashes = _STYLES[-1 - index % len(_STYLES)]
        path = ""
        for at_s, count in each.ready:
            x, y = _x(outcome, min(max(at_s, 0.0), outcome.seconds)), frame.y(count)
            path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f},{y:.1f}"
        lines += [_path(f"{path}H{WIDTH - _RIGHT}", colour, dashes), *_legend(index, each.service, colour, dashes)]
    return _picture(frame.height, "Ready instances over time", lines)


def draw_heat_map(outcome: Outcome) -> str:
    """Draw how many requests took how long, over time: a second group of instances shows as a second band."""
    rows = [_rows(each) for each in outcome.stretches]
    seen = [row for counted in rows for row in counted]
    if not seen:
        return ""
    lowest, highest = min(seen), max(seen) + 1
    frame = _Frame(300, _edge_ms(lowest), _edge_ms(highest), log=True)
    lines = [*_axes(frame, _powers(frame), "ms from the intended start"), *_seconds(outcome, frame)]
    for stretch, counted in zip(outcome.stretches, rows, strict=True):
        total = sum(counted.values())
        left, right = _x(outcome, stretch.at_s), _x(outcome, stretch.at_s + stretch.length_s)
        for row, count in sorted(counted.items()):
            top, bottom = frame.y(_edge_ms(row + 1)), frame.y(_edge_ms(row))
            told = f"{stretch.at_s:g} s, {_edge_ms(row):.3g} to {_edge_ms(row + 1):.3g} ms: {count:,} of {total:,}"
            lines.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left + 0.2:.1f}" height="{bottom - top + 0.2:.1f}"'
                f' fill="{_ink(count / total)}"><title>{told}</title></rect>'
            )
    return _picture(frame.height, "Latencies over time; the darker, the more requests", lines)


def draw_curve(outcome: Outcome) -> str:
    """Draw latency by percentile, each nine as wide as the one before, from the intended start and from the send."""
    curves = [("from the send", outcome.from_send), ("from the intended start", outcome.intended)]
    seen = [ms for _, latency in curves for _, ms in latency.curve if ms > 0]
    if not seen:
        return ""
    frame = _Frame(280, min(seen) * 0.8, max(seen) * 1.25, log=True)
    lines = _axes(frame, _powers(frame), "ms")
    for nines, label in ((0.0, "0 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %")):
        x = _LEFT + nines / _NINES * _ACROSS
        lines.append(f'<path d="M{x:.1f},{_TOP}V{frame.height - _BOTTOM}" stroke="#dddddd"/>')
        lines.append(_text(x, frame.height - 10, label, "middle"))
    for index, (name, latency) in enumerate(curves):
        colour, dashes = _STYLES[index + 1]
        lines += [_path(_curve(latency, frame), colour, dashes), *_legend(index, name, colour, dashes)]
    return _picture(frame.height, "Latency by percentile", lines)


def _curve(latency: Latency, frame: _Frame) -> str:
    points = []
    for percentile, ms in latency.curve:
        nines = _NINES if percentile >= 100 else min(_NINES, -math.log10(1 - percentile / 100))
        points.append(f"{_LEFT + nines / _NINES * _ACROSS:.1f},{frame.y(ms):.1f}")
    return "M" + "L".join(points)


def _rows(stretch: Stretch) -> Counter[int]:
    found: Counter[int] = Counter()
    for bucket, count in stretch.counts:
        found[bucket // _ROW] += count
    return found


def _edge_ms(row: int) -> float:
    """Give the latency with which a row of the heat map begins."""
    return buckets.middle_ms(row * _ROW)


def _ink(part: float) -> str:
    # The root brings out what few requests show, which is what one looks for.
    red, green, blue = (round(a + (b - a) * math.sqrt(part)) for a, b in zip(_LIGHT, _DARK, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _x(outcome: Outcome, at_s: float) -> float:
    return _LEFT + at_s / max(outcome.seconds, 1e-9) * _ACROSS


def _even(highest: float) -> Iterator[float]:
    """Give some four round numbers up to the highest."""
    step = 10 ** math.floor(math.log10(highest))
    while highest / step < 3:
        step /= 2
    yield from (number * step for number in range(int(highest / step) + 1))


def _powers(frame: _Frame) -> Iterator[float]:
    """Give 1, 2 and 5 times each power of ten within a frame."""
    for power in range(math.floor(math.log10(frame.low)), math.ceil(math.log10(frame.high)) + 1):
        yield from (each for part in (1, 2, 5) if frame.low <= (each := part * 10.0**power) <= frame.high)


def _axes(frame: _Frame, ticks: Iterator[float], name: str) -> list[str]:
    lines = [_text(_LEFT, 16, name, "start")]
    for tick in ticks:
        y = frame.y(tick)
        lines.append(f'<path d="M{_LEFT},{y:.1f}H{WIDTH - _RIGHT}" stroke="#dddddd"/>')
        lines.append(_text(_LEFT - 6, y + 4, f"{tick:g}", "end"))
    return lines


def _seconds(outcome: Outcome, frame: _Frame) -> list[str]:
    return [
        _text(_x(outcome, tick), frame.height - 10, f"{tick:g} s", "middle")
        for tick in _even(max(outcome.seconds, 1.0))
    ]


def _warm_up(outcome: Outcome, frame: _Frame) -> list[str]:
    if not outcome.warm_up_s:
        return []
    width = _x(outcome, min(outcome.warm_up_s, outcome.seconds)) - _LEFT
    height = frame.height - _TOP - _BOTTOM
    return [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{width:.1f}" height="{height}" fill="{_SHADE}"/>',
        _text(_LEFT + 4, _TOP + 14, "warm-up", "start"),
    ]


def _legend(index: int, name: str, colour: str, dashes: str) -> list[str]:
    x = _LEFT + 200 + 200 * index
    return [_path(f"M{x},12H{x + 28}", colour, dashes), _text(x + 34, 16, name, "start")]


def _path(path: str, colour: str, dashes: str) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dashed}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(height: int, title: str, lines: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f"<title>{escape(title)}</title>", *lines, "</svg>"])
