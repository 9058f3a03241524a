"""Prometheus' configuration and recording rules, rendered from `templates/prometheus/`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES_DIRECTORY = Path(__file__).resolve().parent.parent / "templates" / "prometheus"
# Four samples in the shortest window of our rules; the meter's readings are five seconds apart.
INTERVAL_S = 15
# What the golden signals are told by.
LEVELS = (("service", "tenant, service"), ("revision", "tenant, service, revision"))


def render_configuration(stack: str, targets: Iterable[tuple[str, str]]) -> str:
    """Render what Prometheus of a stack scrapes: parts by name, each at an `address:port`."""
    template = _environment().get_template("prometheus.yml.j2")
    return template.render(stack=stack, targets=tuple(targets), interval_s=INTERVAL_S)


def render_rules() -> str:
    """Render the recording rules, which are the same in every stack."""
    return _environment().get_template("rules.yml.j2").render(levels=LEVELS)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES_DIRECTORY),
        autoescape=False,  # noqa: S701 this is no HTML; values are names and addresses, written as JSON
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
