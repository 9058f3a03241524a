"""Owners: containers use the networks and volumes of their own stack; others belong to somebody else on the host."""

from __future__ import annotations

from collections.abc import Iterator

from policies.mount import listed, volumes_of
from policies.resource import CONTAINER, NETWORK, VOLUME, Resource

OWNER_RULE = "others-things-kept"
OWNER_SENTENCE = "A container joins networks and mounts volumes that its own stack has declared."
OWNER_FIX = "declare it in this program, and name it by the resource's output `name`"
# Of the engine's own: nothing, and the bridge on which a container is that names no network.
_NETWORK_MODES = ("", "none", "bridge", "default")


class Declared:
    """What a stack has declared so far, by kind and name."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._names: set[tuple[str, str]] = set()

    def check(self, resource: Resource) -> Iterator[str]:
        """Note a network or a volume; find what a container uses of others."""
        given = resource.properties
        if resource.type in (NETWORK, VOLUME) and given.get("name"):
            self._names.add((resource.type, str(given["name"])))
        if resource.type != CONTAINER:
            return
        joined = [str(each.get("name")) for each in listed(given, "networksAdvanced")]
        mode = str(given.get("networkMode") or "")
        # The host's and another container's have rules of their own.
        if mode not in (*_NETWORK_MODES, "host") and not mode.startswith("container:"):
            joined.append(mode)
        for network in joined:
            if (NETWORK, network) not in self._names:
                yield f"network must be one that this stack has declared before, got {network}"
        for volume in volumes_of(given):
            # A path is the host's, which has a rule of its own.
            if not volume.startswith("/") and (VOLUME, volume) not in self._names:
                yield f"volume must be one that this stack has declared before, got {volume}"
