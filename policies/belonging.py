"""Rules of belonging: whose a resource is, and that nothing passes for what the platform makes itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.mount import listed
from policies.part import changes_of, labels_of, part_of
from policies.property import Properties
from policies.resource import CONTAINER, NETWORK, PLUGIN, SWARM_SERVICE, VOLUME, ResourceRule
from runyard import names

# Enough of a value to find it.
_SHOWN_LENGTH = 40
# What a hand-written container may say of itself; by the others the orchestrator tells instances, and recovery parts.
_OPEN_LABELS = frozenset({names.STACK, names.TENANT})
# Any other shows a container to the network that the host is in, past the gateway.
_DRIVERS = ("", "bridge")
# The engine finds a network by its id too, and by the beginning of it.
_NETWORK_ID = re.compile("[0-9a-f]+")


def check_stack_label(properties: Properties, stack: str) -> Iterator[str]:
    """Find what does not say whose it is: recovery, verify and quotas would not see it."""
    owner = labels_of(properties).get(names.STACK)
    if owner != stack:
        yield f"label {names.STACK} must be {stack}, got {owner or 'none'}"


def check_platform_names(properties: Properties, stack: str) -> Iterator[str]:
    """Find what would pass for a part of the platform, or for an instance: by its name, or by its labels."""
    if part_of(properties, stack):
        return
    # The engine takes a name with a slash before it for the name itself.
    name = str(properties.get("name") or "").lstrip("/")
    if names.is_runyards(name):
        yield f"name must not be one of the platform's, got {name}"
    for label in sorted(labels_of(properties).keys() - _OPEN_LABELS):
        if label.startswith(names.LABEL_PREFIX):
            yield f"label {label} must be left out, got it"


def check_networks(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers on a network of the platform's: their calls would pass for a service's."""
    joined = [str(each.get("name")) for each in listed(properties, "networksAdvanced")]
    # A network can stand there by its name too.
    joined.append(str(properties.get("networkMode") or ""))
    for network in sorted({each for each in joined if names.is_runyards(each)}):
        yield f"only instances must be on a network of the platform's, got {network}"
    for network in sorted({each for each in joined if _NETWORK_ID.fullmatch(each)}):
        yield f"a network must be joined by its name, got {network[:_SHOWN_LENGTH]}"


def check_network(properties: Properties, stack: str) -> Iterator[str]:
    """Find networks that reach past the host."""
    if (driver := properties.get("driver") or "") not in _DRIVERS:
        yield f"driver must be bridge, got {driver}"


def check_part(properties: Properties, stack: str) -> Iterator[str]:
    """Find parts of the platform that would run something else than their image's program."""
    for change in changes_of(properties, stack) if part_of(properties, stack) else ():
        yield f"a part of the platform must be as the platform makes it, got {change[:_SHOWN_LENGTH]}"


def check_swarm_services(properties: Properties, stack: str) -> Iterator[str]:
    """Find Swarm services, which no rule above understands."""
    yield "a Swarm service must not be declared beside the manifests"


def check_plugin(properties: Properties, stack: str) -> Iterator[str]:
    """Find plugins, which run as part of the engine."""
    yield "a plugin of the engine must not be declared"


RULES = (
    ResourceRule("plain-networks", "A network is a bridge of the host's.", "remove driver", check_network, (NETWORK,)),
    ResourceRule(
        "stack-labelled",
        "Every container, network and volume has the label of its stack.",
        f"add the label {names.STACK}",
        check_stack_label,
        (CONTAINER, NETWORK, VOLUME),
    ),
    ResourceRule(
        "platform-names-kept",
        "No hand-written container has a name or a label by which the platform knows its own.",
        "give it a name of your own, and no label of the platform's but those of its stack and its tenant",
        check_platform_names,
    ),
    ResourceRule(
        "tenant-networks-kept",
        "Only instances are on the networks of tenants.",
        "write a Service manifest, or make a network of its own",
        check_networks,
    ),
    ResourceRule(
        "parts-unchanged",
        "A part of the platform runs its image's program, with its own settings and volumes.",
        "change the part itself, in this checkout",
        check_part,
    ),
    ResourceRule(
        "no-swarm-services",
        "No Swarm service stands beside the manifests.",
        "write a Service manifest",
        check_swarm_services,
        (SWARM_SERVICE,),
    ),
    ResourceRule(
        "no-engine-plugins", "No plugin is given to the engine.", "install it by hand", check_plugin, (PLUGIN,)
    ),
)
