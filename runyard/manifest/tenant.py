"""Tenant: its rules, and raw data to typed data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runyard.accounts import Member, Quotas
from runyard.contracts import Budget, Threshold
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
    _check_thresholds(tenant, findings)
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
    return Tenant(
        name=tenant["metadata"]["name"],
        subnet=spec.get("subnet"),
        location=location,
        quotas=_quotas(mapping_at(spec, "quotas")),
        budget=_budget(spec["budget"]) if "budget" in spec else None,
        allowed_registries=tuple(spec.get("allowedRegistries", ())),
        members=tuple(Member(each["user"], each["role"]) for each in spec.get("members", ())),
        receivers=build_receivers(spec.get("receivers")),
    )


def _budget(budget: Raw) -> Budget:
    return Budget(
        amount=parse_amount(budget["amount"]),
        currency=budget.get("currency", DEFAULT_CURRENCY),
        thresholds=tuple(
            Threshold(
                percent=int(each["percent"]),
                spending=each.get("spending", "actual"),
                action=each.get("action", "warn"),
                most=int(each.get("maxScale", 0)),
            )
            for each in budget.get("thresholds", ())
        ),
    )


def _check_thresholds(tenant: Raw, findings: Findings) -> None:
    """Check that a bound of instances is where it says something, and that no threshold is there twice."""
    seen: set[tuple[object, ...]] = set()
    for index, threshold in mappings_at(tenant, "spec", "budget", "thresholds"):
        path: Path = ("spec", "budget", "thresholds", index)
        action = threshold.get("action", "warn")
        limits, bounded = action == "limit", "maxScale" in threshold
        if limits and not bounded:
            findings.error(path, "budget.max-scale", "must have a maxScale for its action limit, got none")
        if bounded and not limits:
            message = f"must be beside the action limit, got {render_value(action)}"
            findings.error((*path, "maxScale"), "budget.max-scale", message)
        key = (threshold.get("percent"), threshold.get("spending", "actual"), action)
        if key in seen:
            findings.error(path, "budget.unique", f"must be unique, got {' '.join(map(str, key))} twice")
        seen.add(key)


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
