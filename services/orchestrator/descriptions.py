"""Descriptions: what Docker says of containers and networks, read into templates, revisions and instances. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

from runyard import names
from runyard.contracts import RevisionSpec, TemplateSpec, decode
from runyard.errors import ContractError, HostError
from services.orchestrator.state import DEFAULT_GRACE_S, Container, Instance, Json, Revision, Template


def labels_of(inspection: Json) -> Mapping[str, str]:
    """Give a container's labels."""
    return inspection["Config"].get("Labels") or {}


def read_template(inspection: Json) -> Template:
    """Read a template from Docker's description; ContractError or KeyError if its labels do not fit."""
    labels = labels_of(inspection)
    return Template(
        id=inspection["Id"],
        tenant=labels[names.TENANT],
        service=labels[names.SERVICE],
        revision=labels[names.REVISION],
        spec=_decode_spec(labels[names.SPEC]),
        network=network_of(inspection),
        # The resolved id: the instances of a revision stay what they were when the tag moves.
        image=inspection["Image"],
        # Without the Z, shorter fractions of a second sort before longer ones, as they should.
        created=inspection.get("Created", "").rstrip("Z"),
        config=inspection["Config"],
        host_config=inspection["HostConfig"],
    )


def network_of(inspection: Json) -> str:
    """Give the tenant's network that a template is on; empty while it is not on it yet.

    Pulumi's provider creates a container on Docker's default bridge and moves it in a second call.
    """
    labels = labels_of(inspection)
    stack, tenant = labels[names.STACK], labels[names.TENANT]
    wanted = (names.tenant_network(stack, tenant), names.tenant_network(stack, tenant, internal=True))
    return next((name for name in wanted if name in (inspection["NetworkSettings"]["Networks"] or {})), "")


# Read again in every pass, and the same text on every clone of a template; a thousand services fit.
@lru_cache(maxsize=4096)
def _decode_spec(text: str) -> TemplateSpec:
    return decode(TemplateSpec, text)


def assemble_revisions(templates: Iterable[Template]) -> dict[str, Revision]:
    """Group templates into complete revisions; one with a container or its network still missing is left out.

    Of two templates for one container the newer counts: a revision that failed has left the other, and the manifest
    that mends it may use its name again.
    """
    groups: dict[str, dict[str, Template]] = {}
    for template in sorted(templates, key=lambda each: each.created):
        key = names.service_key(template.tenant, template.revision)
        groups.setdefault(key, {})[template.spec.container] = template
    revisions = {}
    for key, group in sorted(groups.items()):
        spec = next((each.spec.revision for each in group.values() if each.spec.revision is not None), None)
        if spec is None or not group.keys() >= set(spec.containers) or not all(each.network for each in group.values()):
            continue
        ordered = start_order([group[each] for each in spec.containers])
        first = ordered[0]
        revisions[key] = Revision(first.tenant, first.service, first.revision, spec, ordered)
    return revisions


def start_order(templates: Iterable[Template]) -> tuple[Template, ...]:
    """Order templates so that each comes after those it depends on, and otherwise as they are declared."""
    waiting, ordered = list(templates), list[Template]()
    while waiting:
        done = {each.spec.container for each in ordered}
        # The manifest reader refuses cycles; should one come all the same, the first in line goes first.
        chosen = next((each for each in waiting if done.issuperset(each.spec.depends_on)), waiting[0])
        waiting.remove(chosen)
        ordered.append(chosen)
    return tuple(ordered)


def assemble_instances(inspections: Iterable[Json]) -> tuple[Instance, ...]:
    """Group clones into instances; the address is that of the container which owns the network namespace."""
    groups: dict[str, list[Json]] = {}
    for inspection in inspections:
        groups.setdefault(labels_of(inspection).get(names.INSTANCE, inspection["Id"][:12]), []).append(inspection)
    return tuple(_read_instance(key, group) for key, group in sorted(groups.items()))


def _read_instance(key: str, group: list[Json]) -> Instance:
    group = sorted(group, key=lambda each: labels_of(each).get(names.CONTAINER, ""))
    labels = labels_of(group[0])
    places = [place for each in group for place in addresses_of(each).items()]
    network, address = places[0] if places else ("", "")
    return Instance(
        id=key,
        tenant=labels.get(names.TENANT, ""),
        service=labels.get(names.SERVICE, ""),
        revision=labels.get(names.REVISION, ""),
        address=address,
        network=network,
        containers=tuple(_read_container(each) for each in group),
        grace_s=next((spec.termination_grace_s for each in group if (spec := _revision_spec(each))), DEFAULT_GRACE_S),
    )


def addresses_of(inspection: Json) -> dict[str, str]:
    """Give a container's addresses by network, also those that a stopped container only reserves."""
    found = {}
    for network, settings in sorted((inspection["NetworkSettings"]["Networks"] or {}).items()):
        address = (settings.get("IPAMConfig") or {}).get("IPv4Address") or settings.get("IPAddress")
        if address:
            found[network] = address
    return found


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


def _revision_spec(inspection: Json) -> RevisionSpec | None:
    try:
        return _decode_spec(labels_of(inspection).get(names.SPEC, "")).revision
    except ContractError:
        # A clone made by another version of us: it can still be drained with the default grace.
        return None


def _read_container(inspection: Json) -> Container:
    state = inspection["State"]
    return Container(
        id=inspection["Id"],
        name=labels_of(inspection).get(names.CONTAINER, ""),
        state=state["Status"],
        exit_code=state.get("ExitCode", 0),
        oom_killed=bool(state.get("OOMKilled")),
    )
