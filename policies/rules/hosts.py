"""Rules of hosts and ports: names that the platform needs, and services that nobody can reach."""

from __future__ import annotations

from collections.abc import Iterator

from policies.rule import Context, Rule, Violation, of_service
from runyard import names
from runyard.manifest.model import Observability, Platform
from runyard.plan.parts import PARTS, parts_of, plan_parts

# Of the platform's own parts, and of those of later versions: their hosts are `<name>.<domain>`.
_PARTS = frozenset({*(part.name for part in PARTS), "console", "grafana"})
# By part, the ports that a Platform has unless it says another: of all its parts, those that it must ask for too.
_FULL = Platform(observability=Observability("full"), billing="on", console="on")
_PORTS = {
    each.part.name: each.listeners[0].port
    for each in plan_parts(_FULL, stack="", inner_address="")
    # Some hear nobody.
    if each.listeners
}
_ALWAYS = frozenset(part.name for part in parts_of(Platform()))
# The ports of design: TLS, console, Grafana.
_LATER_PORTS = frozenset({3003, 3004, 3443})


def check_names(context: Context) -> Iterator[Violation]:
    """Find services whose host a part of the platform will want."""
    for service in context.manifests.services:
        if service.tenant == names.DEFAULT_TENANT and service.name in _PARTS:
            yield of_service(service, f"name must not be that of a part of the platform, got {service.name}")


def check_ports(context: Context) -> Iterator[Violation]:
    """Find a gateway or orchestrator on the port of another part."""
    platform = context.manifests.platform
    # Ports do not depend on the stack, nor on the address of its bridge.
    for each in plan_parts(platform, stack="", inner_address=""):
        # The first listener is the part's own; of those that follow, one is TLS on the very port that it has by design.
        for port in (listener.port for listener in each.listeners[:1]):
            others = {_PORTS[name] for name in _PORTS.keys() - _ALWAYS - {each.part.name}}
            if port in _LATER_PORTS | others:
                message = f"{each.part.name}'s port must not be that of another part of the platform, got {port}"
                yield Violation(message, location=platform.location)


def check_reached(context: Context) -> Iterator[Violation]:
    """Find internal services that no other service calls."""
    used = {(service.tenant, callee) for service in context.manifests.services for callee in service.uses}
    for service in context.manifests.services:
        if service.ingress == "internal" and (service.tenant, service.name) not in used:
            yield of_service(service, "internal service must be named in runyard.dev/uses of another, got none")


RULES = (
    Rule(
        "host-not-of-platform",
        "A service leaves the platform's own hosts alone.",
        "advisory",
        "choose another name, or put the service into a tenant",
        check_names,
        waivable=False,
    ),
    Rule(
        "port-not-of-platform",
        "Gateway and orchestrator leave the other parts' ports alone.",
        "mandatory",
        "choose another port in the Platform",
        check_ports,
        waivable=False,
    ),
    Rule(
        "internal-is-called",
        "An internal service has a caller.",
        "advisory",
        "name it in the caller's runyard.dev/uses, or remove it",
        check_reached,
    ),
)
