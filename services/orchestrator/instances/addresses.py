"""Addresses: which one an instance gets in its tenant's network, with a rest before one is used again."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Collection, Mapping
from itertools import chain
from pathlib import Path

from runyard import files
from runyard.errors import HostError

# The gateway and kept-alive connections may still know a released address; design.md lets it rest this long.
REST_S = 60.0


def choose_address(
    subnet: str, taken: Collection[str], resting: Mapping[str, float], cursor: str | None, now: float
) -> str | None:
    """Give the first free address after the cursor, round the subnet once; None when it is full.

    `resting` maps released addresses to the time of their release. Going round, instead of taking the lowest,
    is what keeps a restarted orchestrator, which has forgotten who rests, away from fresh releases.
    """
    network = ipaddress.IPv4Network(subnet)
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
    start = int(ipaddress.IPv4Address(cursor)) + 1 if cursor else first
    if not first <= start <= last:
        start = first
    for number in chain(range(start, last + 1), range(first, start)):
        address = str(ipaddress.IPv4Address(number))
        rests = address in resting and now - resting[address] < REST_S
        if address not in taken and not rests:
            return address
    return None


class AddressBook:
    """Addresses given out and at rest; the cursor of each network is kept in a file."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._held: dict[str, str] = {}
        self._resting: dict[str, float] = {}
        self._cursors = self._load()

    def _load(self) -> dict[str, str]:
        try:
            cursors = json.loads(self._path.read_text())
            return {str(key): str(ipaddress.IPv4Address(value)) for key, value in cursors.items()}
        except (OSError, ValueError, AttributeError):
            # The cursor is a courtesy; a first start and a torn file both begin at the front.
            return {}

    def take(self, instance: str, network: str, subnet: str, taken: Collection[str]) -> str:
        """Hold an address for an instance; HostError when the subnet is full."""
        now = self._clock()
        # Addresses of other networks may be equal, so holds and rests are kept as `network address`.
        mine = {key.partition(" ")[2] for key in self._held.values() if key.startswith(f"{network} ")}
        resting = {key.partition(" ")[2]: at for key, at in self._resting.items() if key.startswith(f"{network} ")}
        address = choose_address(subnet, {*taken, *mine}, resting, self._cursors.get(network), now)
        if address is None:
            raise HostError(f"take an address for instance {instance}: network {network} ({subnet}) is full")
        self._held[instance] = f"{network} {address}"
        self._cursors[network] = address
        # Not synced to disk: a machine that loses power loses the instances and their connections with it.
        files.write(self._path, json.dumps(self._cursors, sort_keys=True), durable=False)
        return address

    def sync(self, found: Mapping[str, tuple[str, str]], busy: Collection[str]) -> None:
        """Hold what the instances found have (network and address by instance) and release what nobody has."""
        for gone in self._held.keys() - found.keys() - set(busy):
            self.release(gone)
        for instance, (network, address) in found.items():
            if address:
                self._held[instance] = f"{network} {address}"

    def release(self, instance: str) -> None:
        """Let the address of an instance rest."""
        key = self._held.pop(instance, None)
        now = self._clock()
        self._resting = {each: at for each, at in self._resting.items() if now - at < REST_S}
        if key is not None:
            self._resting[key] = now
