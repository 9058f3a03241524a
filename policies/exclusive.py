"""Exclusive rules: what one resource of a stack has for itself, told when a second one asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from policies.mount import listed
from policies.part import PARTS, labels_of
from policies.resource import CONTAINER, NETWORK, VOLUME, Resource
from runyard import names

# Of each of these the platform declares one itself.
_KINDS = ("SigningKey", "GatewayConfiguration", "FirewallRules", "Receivers", "Sweep", "Claim")
SINGLE = tuple(f"runyard:index:{kind}" for kind in _KINDS)
_NAMED = {CONTAINER: "container", NETWORK: "network", VOLUME: "volume"}


@dataclass(frozen=True, slots=True)
class Want:
    """Something that a resource asks for, and whose it is then: of the resource itself, or of its tenant."""

    thing: str
    owner: str


@dataclass(frozen=True, slots=True)
class ExclusiveRule:
    """A rule of what is not shared; `wants` gives what a resource asks for."""

    id: str
    sentence: str
    fix: str
    wants: Callable[[Resource], Iterator[Want]]


class Holders:
    """Who has what so far, by rule."""

    def __init__(self) -> None:
        """Start with nothing taken."""
        self._holders: dict[tuple[str, str], Want] = {}
        self._names: dict[tuple[str, str], str] = {}

    def take(self, rule: ExclusiveRule, resource: Resource) -> Iterator[str]:
        """Give a resource what it asks for; a message for each thing that another has."""
        for want in list(rule.wants(resource)):
            held = self._holders.setdefault((rule.id, want.thing), want)
            first = self._names.setdefault((rule.id, want.thing), resource.name)
            if held.owner != want.owner:
                yield f"{want.thing} must not be shared, got {first} and {resource.name}"


def parts_of(resource: Resource) -> Iterator[Want]:
    """Give the part of the platform that a resource would be."""
    if resource.type in SINGLE:
        yield Want(resource.type, resource.urn)
    elif resource.type == CONTAINER and (role := labels_of(resource.properties).get(names.ROLE)) in PARTS:
        yield Want(f"the role {role}", resource.urn)


def names_of(resource: Resource) -> Iterator[Want]:
    """Give the name that a resource asks the engine, or the orchestrator, for."""
    if resource.type in _NAMED and (name := resource.properties.get("name")):
        # The engine takes a name with a slash before it for the name itself.
        yield Want(f"the {_NAMED[resource.type]} name {str(name).lstrip('/')}", resource.urn)
    elif (service := resource.service) is not None:
        yield Want(f"the service {names.service_key(service.tenant, service.name)}", resource.urn)
        for volume in service.revision.document.volumes:
            if volume.kind == "persistent":
                yield Want(f"the volume {names.service_key(service.tenant, volume.name)}", resource.urn)


def ports_of(resource: Resource) -> Iterator[Want]:
    """Give the ports of the host that a container publishes."""
    for port in listed(resource.properties, "ports") if resource.type == CONTAINER else ():
        if port.get("external"):
            # Pulumi hands every number over as a float.
            yield Want(f"port {int(port['external'])}/{port.get('protocol') or 'tcp'}", resource.urn)


def hosts_of(resource: Resource) -> Iterator[Want]:
    """Give the hosts that a service answers alone, and the parts of hosts, which are all of one tenant."""
    service = resource.service
    if service is None:
        return
    for host in service.route.hosts:
        yield Want(f"the host {host}", resource.urn)
        yield Want(f"the tenancy of host {host}", service.tenant)
    for part in service.route.paths:
        yield Want(f"the route {part.host}{part.path}", resource.urn)
        yield Want(f"the tenancy of host {part.host}", service.tenant)


RULES = (
    ExclusiveRule(
        "one-of-each-part",
        "A stack has one of each part of the platform, and one of all that is theirs.",
        "remove the other",
        parts_of,
    ),
    ExclusiveRule("names-apart", "No two resources ask for one name.", "rename one of them", names_of),
    ExclusiveRule("ports-apart", "No two containers publish one port.", "write Service manifests", ports_of),
    ExclusiveRule(
        "hosts-apart",
        "No two services answer one host or route, and a host is of one tenant.",
        "give one of them another host",
        hosts_of,
    ),
)
