"""Picture of a simulation as SVG: instances over time above the requests at once that they had and that waited."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from runyard.forecast.simulation import Simulated
from runyard.scaling.simulation import Moment

WIDTH, HEIGHT = 960, 480
_LEFT, _TOP, _GAP, _BOTTOM = 64, 40, 44, 36
_PLOT = (HEIGHT - _TOP - _GAP - _BOTTOM) // 2
# Colours that those who see no red or no green tell apart (Okabe and Ito 2008).
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#666666"


def render_picture(simulated: Simulated) -> str:
    """Render a simulation's moments; equal simulations give equal bytes."""
    moments, outcome = simulated.outcome.moments, simulated.outcome
    across = [(moment.at_s / outcome.length_s) * (WIDTH - 2 * _LEFT) + _LEFT for moment in moments]
    lower = _TOP + _PLOT + _GAP
    title = f"{simulated.service}: {simulated.load.name}, at most {outcome.peak} instances"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_plot("instances wanted", _TOP, across, [("wanted", _BLUE, [float(each.wanted) for each in moments])]),
        *_plot(
            "requests at once",
            lower,
            across,
            [("served", _BLUE, [each.served for each in moments]), ("waiting", _ORANGE, _waiting(moments))],
        ),
        f'<text x="{_LEFT}" y="{HEIGHT - 10}" fill="{_GREY}">0</text>',
        f'<text x="{WIDTH - _LEFT}" y="{HEIGHT - 10}" fill="{_GREY}" text-anchor="end">'
        f"{render_length(outcome.length_s)}</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def render_length(seconds: float) -> str:
    """Say a length of time in the largest unit that it is at least two of."""
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} seconds"


def _waiting(moments: Sequence[Moment]) -> list[float]:
    return [float(each.waiting) for each in moments]


def _plot(
    name: str, top: int, across: Sequence[float], curves: Sequence[tuple[str, str, Sequence[float]]]
) -> list[str]:
    """Draw curves over one scale, from none to the highest of them, each as steps."""
    highest = max([1.0, *(value for _, _, values in curves for value in values)])
    bottom = top + _PLOT
    lines = [
        f'<text x="{_LEFT}" y="{top - 6}" fill="{_GREY}">{name}</text>',
        f'<path d="M{_LEFT},{bottom}H{WIDTH - _LEFT}M{_LEFT},{top}V{bottom}" stroke="{_GREY}" fill="none"/>',
        f'<text x="{_LEFT - 8}" y="{top + 10}" text-anchor="end" fill="{_GREY}">{highest:.3g}</text>',
        f'<text x="{_LEFT - 8}" y="{bottom}" text-anchor="end" fill="{_GREY}">0</text>',
    ]
    for index, (label, colour, values) in enumerate(curves):
        if not values:
            continue
        heights = [bottom - value / highest * _PLOT for value in values]
        path = f"M{across[0]:.1f},{heights[0]:.1f}" + "".join(
            f"H{x:.1f}V{y:.1f}" for x, y in zip(across[1:], heights[1:], strict=True)
        )
        lines.append(f'<path d="{path}" stroke="{colour}" fill="none" stroke-width="1.5"/>')
        if len(curves) > 1:
            x = WIDTH - _LEFT - 70 * (len(curves) - index - 1)
            lines.append(f'<text x="{x}" y="{top - 6}" text-anchor="end" fill="{colour}">{label}</text>')
    return lines
