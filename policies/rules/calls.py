"""Rules of calls between services: whom `runyard.dev/uses` names."""

from __future__ import annotations

from collections.abc import Iterator

from policies.rule import Context, Rule, Violation, of_service
from runyard.manifest.model import Service


def check_callee(context: Context) -> Iterator[Violation]:
    """Find callees that do not exist in the caller's tenant."""
    known = {(service.tenant, service.name) for service in context.manifests.services}
    for service in context.manifests.services:
        for callee in service.uses:
            if (service.tenant, callee) not in known:
                yield of_service(
                    service, f"runyard.dev/uses must name a service of tenant {service.tenant}, got {callee}"
                )


def check_cycle(context: Context) -> Iterator[Violation]:
    """Find services that wait for themselves by way of others; each cycle is told once, at its first service."""
    by_key = {(service.tenant, service.name): service for service in context.manifests.services}
    for service in context.manifests.services:
        path = _way_back(service, by_key)
        if path and service.name == min(path):
            yield of_service(service, f"calls must not go in a circle, got {' -> '.join([*path, service.name])}")


def _way_back(start: Service, by_key: dict[tuple[str, str], Service]) -> list[str]:
    """Give the shortest way from a service back to itself, without its end; empty if there is none."""
    seen: set[str] = set()
    ways = [[start.name]]
    for way in ways:
        service = by_key.get((start.tenant, way[-1]))
        for callee in service.uses if service else ():
            if callee == start.name:
                return way
            if callee not in seen:
                seen.add(callee)
                ways.append([*way, callee])
    return []


RULES = (
    Rule(
        "callee-known",
        "A service calls services that exist; files are checked, so only code can break this.",
        "mandatory",
        "mend the name in runyard.dev/uses, or add the service",
        check_callee,
        waivable=False,
    ),
    Rule(
        "calls-no-circle",
        "No service waits for itself by way of others.",
        "advisory",
        "let one of them answer without the other, by a queue for example",
        check_cycle,
    ),
)
