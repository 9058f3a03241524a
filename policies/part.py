"""Parts of the platform among a stack's containers, and what each of them alone may have.

A part is told by its exact role label, its exact name and its exact image, together: anybody can write a label, and
whatever else is called `runyard.<stack>.orchestrator` is not what this checkout builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from policies.mount import listed, volumes_of
from policies.property import Properties, Unknown
from runyard import names
from runyard.images import image_reference
from runyard.plan import parts
from runyard.plan.part import Part

# What a program can change of an image without changing its name.
_REPLACEMENTS = (
    "command",
    "entrypoints",
    "user",
    "workingDir",
    "healthcheck",
    "uploads",
    "hosts",
    "dns",
    "mounts",
    "groupAdds",
)
# The parts' own settings; anything else, such as LD_PRELOAD or PYTHONPATH, can make another program of the image.
_OWN_VARIABLES = "RUNYARD_"


# By role.
PARTS: Mapping[str, Part] = {part.role: part for part in parts.PARTS}


def labels_of(properties: Properties) -> dict[str, str]:
    """Give the labels that a resource has in the engine."""
    return {str(each.get("label")): str(each.get("value")) for each in listed(properties, "labels")}


def part_of(properties: Properties, stack: str) -> str:
    """Give the part of the platform that a container is, by its role; empty if it is none."""
    labels = labels_of(properties)
    role = labels.get(names.ROLE, "")
    if role not in PARTS or labels.get(names.STACK) != stack:
        return ""
    if properties.get("name") != names.platform_container(stack, role):
        return ""
    return role if properties.get("image") == _image(PARTS[role].image) else ""


def capabilities_of(properties: Properties, stack: str) -> frozenset[str]:
    """Name the capabilities that a container may add: none unless it is a part of the platform."""
    part = PARTS.get(part_of(properties, stack))
    return frozenset(part.capabilities if part else ())


def may_have_engine_socket(properties: Properties, stack: str) -> bool:
    """Tell whether a container may hold the engine's socket."""
    part = PARTS.get(part_of(properties, stack))
    return part is not None and part.has_engine_socket


def host_reads(properties: Properties, stack: str) -> frozenset[str]:
    """Name the paths of the host that a container may read where they are: none unless it is a part of the platform."""
    part = PARTS.get(part_of(properties, stack))
    return frozenset(part.host_reads if part else ())


def own_volumes(properties: Properties, stack: str) -> frozenset[str]:
    """Name the platform's volumes that a container may mount."""
    part = PARTS.get(part_of(properties, stack))
    return frozenset(names.platform_volume(stack, each.name) for each in (part.volumes if part else ()))


def changes_of(properties: Properties, stack: str) -> list[str]:
    """Name what of a part's container is not as the platform makes it, and would make another program of its image."""
    own = own_volumes(properties, stack)
    found = [key for key in _REPLACEMENTS if properties.get(key)]
    # The stack's public key is not known before the first update, which is asked again when it is.
    known = (each for each in properties.get("envs") or () if not isinstance(each, Unknown))
    variables = (str(each).partition("=")[0] for each in known)
    found += [f"envs {name}" for name in variables if not name.startswith(_OWN_VARIABLES)]
    return [*found, *(f"volume {each}" for each in volumes_of(properties) if each not in own)]


@cache
def _image(name: str) -> str:
    # Hashes the image's inputs: once is enough, as a pack lives as long as one update.
    return image_reference(name)
