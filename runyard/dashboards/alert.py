"""Alerts that fire, as Prometheus tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from runyard.errors import ContractError

ALERTS = "/api/v1/alerts"
# Labels of the alert itself, and not of what it is about.
_OWN = ("alertname", "severity")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires: its name and severity, what it is about, and the page that says what to do."""

    name: str
    severity: str
    labels: Mapping[str, str]
    summary: str
    description: str
    runbook: str


def parse_alerts(text: str) -> list[Alert]:
    """Give the alerts that fire, of several of one trouble the worst; ContractError for no answer to `ALERTS`."""
    try:
        found = [_alert(each) for each in json.loads(text)["data"]["alerts"] if each["state"] == "firing"]
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"ask Prometheus: must answer alerts as JSON, got {text[:200]!r}") from error
    worst: dict[tuple[tuple[str, str], ...], Alert] = {}
    for each in sorted(found, key=lambda each: (each.severity != "critical", each.name, each.summary)):
        # Alerts of one trouble have all other labels in common, as for Alertmanager.
        about = tuple(sorted((name, value) for name, value in each.labels.items() if name not in _OWN))
        worst.setdefault(about, each)
    return list(worst.values())


def _alert(told: Mapping[str, Mapping[str, str]]) -> Alert:
    labels, texts = told["labels"], told["annotations"]
    about = (texts.get(name, "") for name in ("summary", "description", "runbook"))
    return Alert(labels["alertname"], labels.get("severity", ""), labels, *about)
