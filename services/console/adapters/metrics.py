"""Metrics: what Prometheus keeps of one service, as panels. Nobody else gives it a query."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runyard.dashboards import SERVICE, PanelReading, Span, read_dashboard, span_until
from runyard.errors import ContractError
from services.console.adapters.http import Part
from services.console.refusal import SourceUnavailable


@dataclass(frozen=True, slots=True)
class Metrics:
    """Prometheus, which knows no tenants: what it is asked for is cut down to one here."""

    part: Part
    clock: Callable[[], float] = time.time

    def service(self, tenant: str, service: str, minutes: int) -> tuple[Span, Sequence[PanelReading]]:
        """Give the panels of a service for the last minutes; SourceUnavailable where Prometheus does not answer."""
        span = span_until(self.clock(), minutes)
        try:
            labels = {"tenant": tenant, "service": service}
            return span, read_dashboard(SERVICE, labels, span, lambda target: self.part.told(target).decode())
        except ContractError as error:
            raise SourceUnavailable(str(error)) from error
