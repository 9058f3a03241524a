"""Removal: takes away all that a host has of a stack whose state is lost, in an order in which nothing comes back."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from runyard import names
from runyard.host.firewall import FirewallHost
from runyard.host.firewall import Host as FirewallEngine
from runyard.host.thing import Thing
from runyard.plan.parts import PARTS

# Each waits for the engine, which does some at a time.
_AT_ONCE = 16
# First those through whom others are made and started.
_MAKERS = frozenset(each.role for each in PARTS if each.has_engine_socket)


class Host(FirewallEngine, Protocol):
    """What this asks of an engine; `runyard.host.Engine` has it."""

    def owned(self, stack: str) -> list[Thing]:
        """List what carries a stack's label."""
        ...

    def remove(self, thing: Thing) -> None:
        """Remove a thing of ours; one that is gone already is fine."""
        ...

    def image(self, container: str) -> str | None:
        """Give the image of a running container, None if none of this name runs."""
        ...


def remove_everything(host: Host, stack: str) -> Sequence[Thing]:
    """Remove every container, network and volume with a stack's label, its firewall's rules too, and list them.

    Volumes that a service keeps (`runyard.dev/volumes`) stay, as they do in `down`. HostError for what the engine would
    not remove; a second call goes on.
    """
    firewall = host.image(names.platform_container(stack, names.ROLE_FIREWALL))
    found = [each for each in host.owned(stack) if each.role != names.ROLE_DATA]
    waves = (
        [each for each in found if each.role in _MAKERS and each.kind == "container"],
        [each for each in found if each.role not in _MAKERS and each.kind == "container"],
        [each for each in found if each.kind != "container"],
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for wave in waves:
            # Taken apart here, so that what failed is raised.
            list(pool.map(host.remove, wave))
    if firewall is not None:
        # Its keeper is gone, who would have put them back.
        FirewallHost(host, stack).remove(firewall)
    return found
