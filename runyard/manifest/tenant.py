"""Tenant: its rules, and raw data to typed data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runyard.accounts import Budget, Member, Quotas
from runyard.manifest.model import Location, Tenant
from runyard.manifest.platform import check_network
from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import Raw, mapping_at, mappings_at, text_at, value_at
from runyard.manifest.receivers import build_receivers, check_receivers
from runyard.pricing.prices import DEFAULT_CURRENCY
from runyard.units import parse_amount, parse_bytes, parse_cpu_millis

# A bridge needs its gateway and an instance; more than a /8 is not one company's to give.
_SUBNET_LENGTHS = (8, 29)
_QUANTITIES: dict[str, Callable[[str], int]] = {"cpu": parse_cpu_millis, "memory": parse_bytes, "storage": parse_bytes}


def check_tenant(tenant: Raw, findings: Findings) -> None:
    """Check subnet, quotas, budget and members of a Tenant."""
    check_network(tenant, ("spec", "subnet"), _SUBNET_LENGTHS, findings)
    for key, parse in _QUANTITIES.items():
        value = value_at(tenant, "spec", "quotas", key)
        if isinstance(value, str | int | float):
            _check(lambda parse=parse, value=value: parse(str(value)), ("spec", "quotas", key), "quotas.form", findings)  # type: ignore[misc]
    check_amount(tenant, ("spec", "budget", "amount"), findings)
    check_receivers(tenant, findings)
    seen: set[str] = set()
    for index, member in mappings_at(tenant, "spec", "members"):
        user = text_at(member, "user")
        if user and user in seen:
            path: Path = ("spec", "members", index, "user")
            findings.error(path, "members.unique", f"must be unique, got {render_value(user)} twice")
        seen.add(user)


def check_amount(document: Raw, path: tuple[str | int, ...], findings: Findings) -> None:
    """Check that a value, where there is one, is an amount that is exact in decimals."""
    value: Any = document
    for part in path:
        reachable = part in value if isinstance(value, dict) else isinstance(value, list) and type(part) is int
        if not reachable:
            return
        value = value[part]
    if isinstance(value, str | int | float):
        _check(lambda: parse_amount(value), path, "amount.form", findings)


def build_tenant(tenant: Raw, location: Location) -> Tenant:
    """Build a Tenant from data without errors."""
    spec = mapping_at(tenant, "spec")
    budget = spec.get("budget")
    return Tenant(
        name=tenant["metadata"]["name"],
        subnet=spec.get("subnet"),
        location=location,
        quotas=_quotas(mapping_at(spec, "quotas")),
        budget=Budget(parse_amount(budget["amount"]), budget.get("currency", DEFAULT_CURRENCY)) if budget else None,
        allowed_registries=tuple(spec.get("allowedRegistries", ())),
        members=tuple(Member(each["user"], each["role"]) for each in spec.get("members", ())),
        receivers=build_receivers(spec.get("receivers")),
    )


def _quotas(quotas: Raw) -> Quotas:
    def quantity(key: str) -> int | None:
        return _QUANTITIES[key](str(quotas[key])) if key in quotas else None

    def count(key: str) -> int | None:
        return int(quotas[key]) if key in quotas else None

    return Quotas(
        cpu_millis=quantity("cpu"),
        memory_bytes=quantity("memory"),
        instances=count("instances"),
        services=count("services"),
        storage_bytes=quantity("storage"),
        hosts=count("hosts"),
        requests_per_second=count("requestsPerSecond"),
    )


def _check(parse: Callable[[], object], path: Path, rule: str, findings: Findings) -> None:
    try:
        parse()
    except ValueError as error:
        findings.error(path, rule, str(error))
