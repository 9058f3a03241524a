"""Rules of probes: whether a failing instance would be seen."""

from __future__ import annotations

from collections.abc import Iterator

from policies.rule import Context, Rule, Violation, of_service


def check_ready(context: Context) -> Iterator[Violation]:
    """Find services whose only sign of readiness is an open port."""
    for service in context.manifests.services:
        container = service.template.ingress_container
        if container.startup_probe is None and container.readiness_probe is None:
            yield of_service(
                service, f"container {container.name}: must have a startup or readiness probe, got neither"
            )


def check_alive(context: Context) -> Iterator[Violation]:
    """Find services that would hang unseen."""
    for service in context.manifests.services:
        container = service.template.ingress_container
        if container.liveness_probe is None:
            yield of_service(service, f"container {container.name}: must have a liveness probe, got none")


def check_port(context: Context) -> Iterator[Violation]:
    """Find probes of another port than the one that gets the requests."""
    for service in context.manifests.services:
        container = service.template.ingress_container
        for probe in (container.startup_probe, container.readiness_probe):
            number = container.port.number if container.port else None
            if probe is not None and probe.port is not None and probe.port != number:
                message = f"container {container.name}: probe must ask the serving port {number}, got {probe.port}"
                yield of_service(service, message)


RULES = (
    Rule(
        "probe-given",
        "A service in production says how to see that it is ready.",
        "advisory",
        "add a startupProbe or readinessProbe with httpGet",
        check_ready,
        production_only=True,
    ),
    Rule(
        "liveness-given",
        "A service in production says how to see that it hangs.",
        "advisory",
        "add a livenessProbe",
        check_alive,
        production_only=True,
    ),
    Rule(
        "probe-asks-serving-port",
        "A probe of readiness asks the port that gets the requests.",
        "advisory",
        "leave the probe's port out",
        check_port,
    ),
)
