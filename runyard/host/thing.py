"""Things: containers, networks and volumes as the engine's listings show them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runyard import names
from runyard.names import Kind


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """A container, network or volume on the host; `stack` and `role` are its labels, empty when it has none.

    `subnets` are a network's, as `address/length`; `published` a container's TCP ports on the host, as `address:port`.
    """

    kind: Kind
    name: str
    id: str
    stack: str = ""
    role: str = ""
    subnets: tuple[str, ...] = ()
    published: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A container as a listing shows it; `created` is by the engine's clock, `state` the engine's word."""

    name: str
    id: str
    created: datetime.datetime
    labels: Mapping[str, str]
    state: str = ""


def containers_of(listed: Iterable[Mapping[str, Any]]) -> list[Thing]:
    """Read the engine's list of containers."""
    return [_thing("container", _name(each), each["Id"], each, published=_published(each)) for each in listed]


def networks_of(listed: Iterable[Mapping[str, Any]]) -> list[Thing]:
    """Read the engine's list of networks."""
    return [_thing("network", each["Name"], each["Id"], each, subnets=_subnets(each)) for each in listed]


def volumes_of(listed: Iterable[Mapping[str, Any]]) -> list[Thing]:
    """Read the engine's list of volumes, whose names are their ids."""
    return [_thing("volume", each["Name"], each["Name"], each) for each in listed]


def found_of(listed: Mapping[str, Any]) -> Found:
    """Read a container of a listing."""
    created = datetime.datetime.fromtimestamp(int(listed["Created"]), datetime.UTC)
    return Found(_name(listed), listed["Id"], created, listed["Labels"] or {}, listed["State"])


def _name(listed: Mapping[str, Any]) -> str:
    """Give the name of a container of a listing; one that is just being removed may have lost its own already."""
    return str((listed["Names"] or [""])[0]).lstrip("/")


def _thing(
    kind: Kind,
    name: str,
    identifier: str,
    listed: Mapping[str, Any],
    *,
    subnets: tuple[str, ...] = (),
    published: tuple[str, ...] = (),
) -> Thing:
    labels = listed["Labels"] or {}
    stack, role = labels.get(names.STACK, ""), labels.get(names.ROLE, "")
    return Thing(kind, name, identifier, stack, role, subnets, published)


def _published(container: Mapping[str, Any]) -> tuple[str, ...]:
    listed = container.get("Ports") or ()
    tcp = [each for each in listed if each.get("PublicPort") and each.get("Type") == "tcp"]
    return tuple(f"{each.get('IP', '')}:{each['PublicPort']}" for each in tcp)


def _subnets(network: Mapping[str, Any]) -> tuple[str, ...]:
    # The host's own network and `none` have no addresses to give.
    settings = (network.get("IPAM") or {}).get("Config") or ()
    return tuple(each["Subnet"] for each in settings if each.get("Subnet"))
