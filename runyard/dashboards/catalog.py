"""Catalog: the one list of all dashboards; terminal, Grafana and console show what stands here."""

from __future__ import annotations

from runyard.dashboards.panel import Dashboard
from runyard.dashboards.platform import COST, GATEWAY, PLATFORM, TENANT
from runyard.dashboards.service import AUTOSCALING, SERVICE

# In the order in which they are offered.
DASHBOARDS: tuple[Dashboard, ...] = (PLATFORM, SERVICE, GATEWAY, AUTOSCALING, TENANT, COST)
