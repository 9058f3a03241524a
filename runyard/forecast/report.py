"""Reports of costs: for people as text and Markdown, for programs as JSON; equal costs give equal bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runyard import table
from runyard.forecast.cost import Costs, ServiceCost
from runyard.forecast.usage import MONTH_HOURS, Usages
from runyard.pricing.rating import Lines

SCHEMA_VERSION = 1
_COLUMNS = ("floor", "expected", "ceiling", "basis")
# The columns of amounts, which end below one another.
_AMOUNTS = (1, 2, 3)
Row = tuple[str, str, str, str, str]


def render_basis(costs: Costs, usages: Usages) -> list[str]:
    """Say on what the numbers rest, a sentence a line."""
    used = {usages.of(f"{each.tenant}/{each.service}") for tenant in costs.tenants for each in tenant.services}
    lines = [
        f"{costs.currency} a month of {MONTH_HOURS} hours, price book {costs.book}, prices from {costs.period_start}.",
        "Floor: every service idle at its minScale, or what is expected if less, as the free tier covers no idle time.",
        "Ceiling: every service busy at its maxScale all month, with the requests of its rate if those are more.",
    ]
    for usage in sorted(used, key=lambda each: (each.basis, each.requests, each.request_ms, each.egress_gib)):
        lines.append(
            f"Expected, {usage.basis}: {usage.requests:,} requests of {usage.request_ms} ms, "
            f"{usage.concurrency} at once, {usage.egress_gib} GiB out."
        )
    lines.append("Each service's CPU, memory, requests, egress and storage are rounded to the cent, half to even.")
    return lines


def render_text(costs: Costs, usages: Usages) -> str:
    """Render a table with services under their tenants, the total last, and the basis below."""
    rows = [("", *_COLUMNS), *_rows(costs)]
    return "\n".join([*table.render_columns(rows, right=_AMOUNTS), "", *render_basis(costs, usages)]) + "\n"


def render_markdown(costs: Costs, usages: Usages) -> str:
    """Render a Markdown table and the basis as a list."""
    lines = table.render_markdown(("service", *_COLUMNS), _rows(costs), right=_AMOUNTS)
    return "\n".join([*lines, "", *(f"- {line}" for line in render_basis(costs, usages))]) + "\n"


def describe_costs(costs: Costs, usages: Usages) -> dict[str, Any]:
    """Describe costs as plain data; amounts are text, so that no reader makes binary fractions of them."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "currency": costs.currency,
        "priceBook": costs.book,
        "pricesFrom": costs.period_start,
        "monthHours": MONTH_HOURS,
        "basis": render_basis(costs, usages),
        "tenants": [
            {
                "name": tenant.tenant,
                "services": [_describe_service(service) for service in tenant.services],
                **_described(tenant.totals),
            }
            for tenant in costs.tenants
        ],
        "total": _described(costs.totals),
    }


def render_money(amount: Decimal | None) -> str:
    """Render an amount with two decimals; None is no limit."""
    return "no limit" if amount is None else f"{amount:,.2f}"


def _rows(costs: Costs) -> list[Row]:
    rows: list[Row] = []
    for tenant in costs.tenants:
        rows.append((tenant.tenant, *_rendered(tenant.totals), ""))
        for each in tenant.services:
            ceiling = each.ceiling.total if each.ceiling else None
            amounts = _rendered((each.floor.total, each.expected.total, ceiling))
            rows.append((f"  {each.tenant}/{each.service}", *amounts, each.basis))
    return [*rows, ("total", *_rendered(costs.totals), "")]


def _rendered(totals: tuple[Decimal, Decimal, Decimal | None]) -> tuple[str, str, str]:
    floor, expected, ceiling = totals
    return render_money(floor), render_money(expected), render_money(ceiling)


def _described(totals: tuple[Decimal, Decimal, Decimal | None]) -> dict[str, str | None]:
    floor, expected, ceiling = totals
    return {"floor": str(floor), "expected": str(expected), "ceiling": None if ceiling is None else str(ceiling)}


def _describe_service(service: ServiceCost) -> dict[str, Any]:
    return {
        "name": service.service,
        "basis": service.basis,
        "floor": _describe_lines(service.floor),
        "expected": _describe_lines(service.expected),
        "ceiling": _describe_lines(service.ceiling) if service.ceiling else None,
    }


def _describe_lines(lines: Lines) -> dict[str, str]:
    names = ("cpu", "memory", "requests", "egress", "storage", "total")
    return {name: str(getattr(lines, name)) for name in names}
