"""Prometheus: what it scrapes, which rules it has and whom it tells of alerts, beside its container."""

from __future__ import annotations

from collections.abc import Mapping

from components.beside import Around, Beside
from runyard.names import ROLE_ALERTMANAGER
from runyard.prometheus import render_alerts, render_configuration, render_rules


class Scrapes(Beside):
    """The parts of the plan that have metrics, and our recording rules, in the environment of the part."""

    def tell(self, image: str) -> Mapping[str, str]:
        """Give configuration and rules as texts, which previews show as their hashes."""
        plan = self.ground.plan
        targets = [(each.part.name, each.listeners[0].address) for each in plan.parts if each.part.metrics]
        alertmanagers = [each.listeners[0].address for each in plan.parts if each.part.name == ROLE_ALERTMANAGER]
        return {
            "RUNYARD_CONFIGURATION": render_configuration(plan.stack, targets, alertmanagers),
            "RUNYARD_RULES": render_rules(),
            "RUNYARD_ALERTS": render_alerts(plan.alerting.quotas),
        }

    def make(self, around: Around) -> None:
        """Declare nothing."""
