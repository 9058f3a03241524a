"""Page of a run: one HTML file without anything from elsewhere, from `templates/load`, readable on paper."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from runyard.units import render_time
from runyard.workload import pictures, text
from runyard.workload.outcome import Outcome

TEMPLATES_DIRECTORY = Path(__file__).resolve().parents[2] / "templates" / "load"


def render_page(outcome: Outcome) -> str:
    """Render an outcome; whatever a name holds is text there."""
    drawn = {
        "rates": pictures.draw_rates(outcome),
        "instances": pictures.draw_instances(outcome),
        "heat": pictures.draw_heat_map(outcome),
        "curve": pictures.draw_curve(outcome),
    }
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            outcome=outcome,
            began=render_time(outcome.began_unix_s),
            text=text,
            problems=list(text.problems(outcome)),
            # Ours, with every name in them escaped.
            pictures={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES_DIRECTORY),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
