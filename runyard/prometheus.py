"""Prometheus' configuration and recording rules, rendered from `templates/prometheus/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runyard.accounts import Quotas
from runyard.dashboards import INTERVAL_S

TEMPLATES_DIRECTORY = Path(__file__).resolve().parent.parent / "templates" / "prometheus"
# What the golden signals are told by.
LEVELS = (("service", "tenant, service"), ("revision", "tenant, service, revision"))


@dataclass(frozen=True, slots=True)
class Burn:
    """An alert on a budget that is used up `rate` times as fast as it lasts, over a long and a short window."""

    name: str
    rate: float
    long: str
    short: str
    severity: str

    @property
    def long_s(self) -> int:
        """The long window in seconds."""
        return int(self.long[:-1]) * {"m": 60, "h": 3600, "d": 86_400}[self.long[-1]]


# The SRE workbook's table 5-8: 2 % of a month's budget in an hour, 5 % in six, 10 % in three days.
ERROR_BURNS = (
    Burn("ServiceErrorsFast", 14.4, "1h", "5m", "critical"),
    Burn("ServiceErrorsSlow", 6, "6h", "30m", "critical"),
    Burn("ServiceErrorsLasting", 1, "3d", "6h", "warning"),
)
# A twentieth of the requests may be slow, so 14.4 times as many are three of four.
SLOW_BURNS = (
    Burn("ServiceSlowFast", 14.4, "1h", "5m", "critical"),
    Burn("ServiceSlowSlow", 6, "6h", "30m", "warning"),
)
# All windows of these.
WINDOWS = ("5m", "30m", "1h", "6h", "3d")


def render_configuration(stack: str, targets: Iterable[tuple[str, str]], alertmanagers: Iterable[str] = ()) -> str:
    """Render what Prometheus of a stack scrapes, parts by name at an `address:port`, and where it tells alerts."""
    template = _environment().get_template("prometheus.yml.j2")
    return template.render(stack=stack, targets=tuple(targets), alertmanagers=[*alertmanagers], interval_s=INTERVAL_S)


def render_rules() -> str:
    """Render the recording rules, which are the same in every stack."""
    return _environment().get_template("rules.yml.j2").render(levels=LEVELS)


def render_alerts(quotas: Iterable[tuple[str, Quotas]] = ()) -> str:
    """Render alerts and what they are judged by; of tenants that have quotas, their use and their limits too."""
    slow = {window for burn in SLOW_BURNS for window in (burn.long, burn.short)}
    template = _environment().get_template("alerts.yml.j2")
    return template.render(
        windows=WINDOWS,
        slow_windows=[each for each in WINDOWS if each in slow],
        error_burns=ERROR_BURNS,
        slow_burns=SLOW_BURNS,
        quotas=tuple(_limits(quotas)),
    )


def _limits(quotas: Iterable[tuple[str, Quotas]]) -> Iterator[tuple[str, str, float]]:
    """Give each limit that what runs can come near to, in the unit of what is used; others an update is held to."""
    for tenant, each in quotas:
        for resource, amount, unit in (
            ("cpu", each.cpu_millis, 1000),
            ("memory", each.memory_bytes, 1),
            ("instances", each.instances, 1),
            ("requestsPerSecond", each.requests_per_second, 1),
        ):
            # Of a quota of nothing, nothing is ever a part.
            if amount:
                yield tenant, resource, amount / unit


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
