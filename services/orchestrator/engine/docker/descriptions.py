"""Descriptions: what Docker says of containers and networks, read into instances. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from runyard import names
from runyard.errors import HostError
from services.orchestrator.engine.docker.comparison import describe_edit, describe_fault
from services.orchestrator.engine.docker.images import Image
from services.orchestrator.engine.docker.making import Placement, container_config, container_name
from services.orchestrator.engine.docker.volumes import scratch_volumes
from services.orchestrator.engine.port import Json
from services.orchestrator.model.entry import BookedContainer, BookEntry
from services.orchestrator.model.instance import DEFAULT_GRACE_S, Container, Instance
from services.orchestrator.model.parts import data_volumes
from services.orchestrator.model.revision import Revision

# What an image adds is never compared here: no edit can change it.
_ANY_IMAGE = Image("")


def labels_of(inspection: Json) -> Mapping[str, str]:
    """Give a container's labels."""
    return inspection["Config"].get("Labels") or {}


def read_instance(entry: BookEntry, inspections: Mapping[str, Json], revision: Revision | None) -> Instance:
    """Read an instance of the book; `inspections` are by the engine's id, and those of containers that went are absent.

    Without a revision, because its document cannot be read, it is taken as it is.
    """
    booked = [each for each in entry.containers if each.id in inspections]
    return Instance(
        id=entry.instance,
        tenant=entry.tenant,
        service=entry.service,
        revision=entry.revision,
        address=entry.address,
        network=entry.network,
        containers=tuple(_read_container(entry, each, inspections[each.id], revision) for each in booked),
        grace_s=revision.spec.termination_grace_s if revision else DEFAULT_GRACE_S,
        identity=entry.identity,
        data=entry.data,
    )


def _read_container(
    entry: BookEntry, booked: BookedContainer, inspection: Json, revision: Revision | None
) -> Container:
    state = inspection["State"]
    part = revision.part(booked.container) if revision else None
    fault = edited = ""
    if revision is not None and part is not None:
        config = container_config(revision, part.document, placement_of(entry, revision, booked.container), _ANY_IMAGE)
        fault = describe_fault(inspection, config)
        edited = describe_edit(inspection, config, container_name(revision, booked.container, entry.instance))
    return Container(
        id=booked.id,
        name=booked.container,
        state=state["Status"],
        exit_code=state.get("ExitCode", 0),
        oom_killed=bool(state.get("OOMKilled")),
        fault=fault,
        edited=edited,
        role=part.role if part else "app",
    )


def placement_of(entry: BookEntry, revision: Revision, container: str) -> Placement:
    """Give where a container of an instance in the book lives."""
    if container == revision.owner:
        return Placement(entry.instance, address=entry.address)
    if container in (names.PREPARER, names.PARTS_HOLDER):
        return Placement(entry.instance)
    owner = next((each.id for each in entry.containers if each.container == revision.owner), "")
    return Placement(entry.instance, owner=owner)


def addresses_of(inspection: Json) -> dict[str, str]:
    """Give a container's addresses by network, also those that a stopped container only reserves."""
    found = {}
    for network, settings in sorted((inspection["NetworkSettings"]["Networks"] or {}).items()):
        address = (settings.get("IPAMConfig") or {}).get("IPv4Address") or settings.get("IPAddress")
        if address:
            found[network] = address
    return found


def read_orphan(group: list[Json], revision: Revision) -> BookEntry | None:
    """Read the entry that a lost book would have had for these containers of one instance; None if they fit none."""
    labels = labels_of(group[0])
    by_name = {labels_of(each).get(names.CONTAINER, ""): each for each in group}
    # Those that have ended as they should may have been pruned.
    wanted = [each.document.name for each in revision.parts if each.role != "init" or each.document.name in by_name]
    if len(by_name) != len(group) or sorted(by_name) != sorted(wanted):
        return None
    address = addresses_of(by_name[revision.owner]).get(revision.spec.network, "")
    if not address:
        return None
    instance = labels.get(names.INSTANCE, "")
    booked = [BookedContainer(name, container_name(revision, name, instance), by_name[name]["Id"]) for name in wanted]
    return entry_of(revision, instance, address, tuple(booked))


def entry_of(revision: Revision, instance: str, address: str, containers: tuple[BookedContainer, ...]) -> BookEntry:
    """Give what the book has of an instance of a revision."""
    spec = revision.spec
    return BookEntry(
        instance=instance,
        tenant=spec.tenant,
        service=spec.service,
        revision=spec.name,
        identity=spec.identity,
        network=spec.network,
        address=address,
        containers=containers,
        volumes=scratch_volumes(revision, instance),
        data=data_volumes(spec),
    )


def addresses_of_network(network: Json) -> tuple[str, set[str]]:
    """Give a network's IPv4 subnet and the addresses in use in it, its gateway's included."""
    ranges = [each for each in network["IPAM"]["Config"] or () if ":" not in each.get("Subnet", ":")]
    if not ranges:
        raise HostError(f"read network {network['Name']}: it has no IPv4 subnet")
    subnet = ranges[0]["Subnet"]
    first = str(ipaddress.IPv4Network(subnet).network_address + 1)
    endpoints = (network.get("Containers") or {}).values()
    used = {each["IPv4Address"].partition("/")[0] for each in endpoints if each.get("IPv4Address")}
    return subnet, {ranges[0].get("Gateway") or first, *used}
