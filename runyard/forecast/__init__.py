"""Forecast: what manifests cost in a month, by service and tenant; pure, exact, and in decimals."""

from __future__ import annotations

from runyard.forecast.cost import Costs, ServiceCost, TenantCost, price
from runyard.forecast.usage import SIZES, Usage, Usages, parse_usages

__all__ = ["SIZES", "Costs", "ServiceCost", "TenantCost", "Usage", "Usages", "parse_usages", "price"]
