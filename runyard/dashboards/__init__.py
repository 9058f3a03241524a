"""Dashboards as data: what is seen of a stack, a tenant and a service, and how Prometheus is asked for it; pure.

Whoever asks Prometheus gives a function that does: on the client's side `runyard.host`, in the console its own.
"""

from __future__ import annotations

from runyard.dashboards.alert import ALERTS, Alert, parse_alerts
from runyard.dashboards.catalog import DASHBOARDS
from runyard.dashboards.panel import Dashboard, Kind, Panel, Query
from runyard.dashboards.platform import PLATFORM, TENANT
from runyard.dashboards.reading import INTERVAL_S, Ask, Line, PanelReading, Span, read_dashboard, span_until
from runyard.dashboards.service import SERVICE
from runyard.dashboards.unit import Unit, render_value

__all__ = [
    "ALERTS",
    "DASHBOARDS",
    "INTERVAL_S",
    "PLATFORM",
    "SERVICE",
    "TENANT",
    "Alert",
    "Ask",
    "Dashboard",
    "Kind",
    "Line",
    "Panel",
    "PanelReading",
    "Query",
    "Span",
    "Unit",
    "parse_alerts",
    "read_dashboard",
    "render_value",
    "span_until",
]  # fmt: skip
