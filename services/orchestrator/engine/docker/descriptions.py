"""Descriptions: what Docker says of containers and networks, read into the seam's words. Pure."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import cast

from runyard import names
from runyard.errors import HostError
from services.orchestrator.engine.docker.json import Json, labels_of, name_of
from services.orchestrator.engine.port import SeenContainer, Subnet
from services.orchestrator.model.instance import State


def read_state(status: str) -> State:
    """Read what Docker calls a container's status; one that it is removing, or failed to, has ended."""
    return "ended" if status in ("exited", "dead", "removing") else cast(State, status)


def read_container(inspection: Json) -> SeenContainer:
    """Read a container."""
    labels, state = labels_of(inspection), inspection["State"]
    return SeenContainer(
        id=inspection["Id"],
        name=name_of(inspection),
        state=read_state(state["Status"]),
        tenant=labels.get(names.TENANT, ""),
        revision=labels.get(names.REVISION, ""),
        instance=labels.get(names.INSTANCE, ""),
        container=labels.get(names.CONTAINER, ""),
        exit_code=state.get("ExitCode", 0),
        oom_killed=bool(state.get("OOMKilled")),
        addresses=addresses_of(inspection),
        started_ms=read_moment(state.get("StartedAt", "")),
        native=inspection,
    )


def read_moment(text: str) -> int:
    """Read a moment of Docker's (RFC 3339, nanoseconds) as milliseconds since 1970; 0 for one that never came."""
    # Docker writes the first of January of the year 1 for a container that was never started.
    if not text or text.startswith("0001-"):
        return 0
    # More than six decimals are not for Python to read.
    whole, _, rest = text.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * 1000 + int(rest[:3].ljust(3, "0") or 0)


def addresses_of(inspection: Json) -> dict[str, str]:
    """Give a container's addresses by network, also those that a stopped container only reserves."""
    found = {}
    for network, settings in sorted((inspection["NetworkSettings"]["Networks"] or {}).items()):
        address = (settings.get("IPAMConfig") or {}).get("IPv4Address") or settings.get("IPAddress")
        if address:
            found[network] = address
    return found


def read_subnet(network: Json) -> Subnet:
    """Read a network's IPv4 range and the addresses in use in it, its gateway's included; HostError if it has none."""
    ranges = [each for each in network["IPAM"]["Config"] or () if ":" not in each.get("Subnet", ":")]
    if not ranges:
        raise HostError(f"read network {network['Name']}: it has no IPv4 subnet")
    subnet = ranges[0]["Subnet"]
    first = str(ipaddress.IPv4Network(subnet).network_address + 1)
    endpoints = (network.get("Containers") or {}).values()
    used = {each["IPv4Address"].partition("/")[0] for each in endpoints if each.get("IPv4Address")}
    return Subnet(subnet, frozenset({ranges[0].get("Gateway") or first, *used}))
