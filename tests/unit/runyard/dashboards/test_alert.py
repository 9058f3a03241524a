"""Alerts that fire, out of Prometheus' answer."""

from __future__ import annotations

import json

import pytest

from runyard.dashboards import parse_alerts
from runyard.errors import ContractError


def told(*alerts: tuple[str, str, str, str], **more: str) -> str:
    """Make an answer of alerts: name, severity, state and service."""
    texts = {"summary": "it is", "description": "so much", "runbook": "docs/runbooks/service-errors.md"}
    return json.dumps(
        {
            "status": "success",
            "data": {
                "alerts": [
                    {
                        "labels": {"alertname": name, "severity": severity, "service": service, "signal": "errors"}
                        | more,
                        "annotations": texts,
                        "state": state,
                    }
                    for name, severity, state, service in alerts
                ]
            },
        }
    )


def test_alerts_that_fire_are_told_critical_ones_first() -> None:
    found = parse_alerts(
        told(("A", "warning", "firing", "a"), ("B", "critical", "firing", "b"), ("C", "critical", "pending", "c"))
    )
    assert [each.name for each in found] == ["B", "A"]
    assert (found[0].summary, found[0].description) == ("it is", "so much")
    assert (found[0].labels["service"], found[0].runbook) == ("b", "docs/runbooks/service-errors.md")


def test_of_one_trouble_the_worst_alone_is_told() -> None:
    found = parse_alerts(
        told(
            ("Lasting", "warning", "firing", "web"),
            ("Fast", "critical", "firing", "web"),
            ("Lasting", "warning", "firing", "cart"),
        )
    )
    assert [(each.name, each.labels["service"]) for each in found] == [("Fast", "web"), ("Lasting", "cart")]


def test_alert_without_texts_is_an_alert() -> None:
    answer = {"data": {"alerts": [{"labels": {"alertname": "A"}, "annotations": {}, "state": "firing"}]}}
    (found,) = parse_alerts(json.dumps(answer))
    assert (found.name, found.severity, found.summary, found.runbook) == ("A", "", "", "")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"data": {"alerts": [1]}}', '{"data": {"alerts": [{"state": "firing"}]}}']
)
def test_answer_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match="must answer alerts as JSON"):
        parse_alerts(text)
