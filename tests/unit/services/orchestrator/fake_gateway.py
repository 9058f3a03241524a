"""A gateway that exists in memory only: what it was sent, what is in flight, and when it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from runyard.contracts import GatewayDelta, GatewayLoad, GatewaySnapshot, RevisionLoad
from runyard.errors import HostError

Entry = TypeVar("Entry")
# How finely the fake looks whether an instance has become idle; the real gateway's own business.
LOOK_S = 0.05


def amended(before: GatewaySnapshot, delta: GatewayDelta) -> GatewaySnapshot:
    """Give what a delta makes of the snapshot that it is based on."""

    def section(old: Mapping[str, Entry], new: Mapping[str, Entry], removed: tuple[str, ...]) -> dict[str, Entry]:
        assert old.keys() >= set(removed)
        assert not new.keys() & set(removed)
        return {key: entry for key, entry in {**old, **new}.items() if key not in removed}

    removed = delta.removed
    return GatewaySnapshot(
        delta.generation,
        section(before.services, delta.services, removed.services),
        section(before.hosts, delta.hosts, removed.hosts),
        section(before.endpoints, delta.endpoints, removed.endpoints),
        section(before.callers, delta.callers, removed.callers),
        section(before.paths, delta.paths, removed.paths),
    )


class FakeGateway:
    """A gateway that keeps what it was sent: `sent` has what was in force after each message, `deltas` the changes.

    `sleep` waits for instances to be idle; a test with a clock of its own sets its.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self.sleep = sleep
        self.current = 0
        self.sent: list[GatewaySnapshot] = []
        self.deltas: list[GatewayDelta] = []
        self.clock: Callable[[], float] = time.monotonic
        self.life = "life-1"
        self.loads: dict[str, RevisionLoad] = {}
        self.told = 1
        self.flying: dict[str, int] = {}
        self.away = False
        # The answers to so many messages get lost: they are in force, and nobody is told.
        self.losing = 0

    def _enter(self) -> None:
        if self.away:
            raise HostError("ask the gateway: connection refused")

    def _leave(self) -> bool:
        if self.losing:
            self.losing -= 1
            raise HostError("ask the gateway: timed out")
        return True

    async def generation(self) -> int:
        self._enter()
        return self.current

    async def put(self, snapshot: GatewaySnapshot) -> bool:
        self._enter()
        if snapshot.generation <= self.current:
            return False
        self.current = snapshot.generation
        self.sent.append(snapshot)
        return self._leave()

    async def amend(self, delta: GatewayDelta) -> bool:
        self._enter()
        if delta.base != self.current:
            return False
        self.current = delta.generation
        self.deltas.append(delta)
        self.sent.append(amended(self.last, delta))
        return self._leave()

    async def load(self, after: int, life: str) -> GatewayLoad:
        self._enter()
        loads = {} if life == self.life and after == self.told else self.loads
        return GatewayLoad(self.life, self.told, round(self.clock() * 1000), loads)

    def tell(self, key: str, in_flight: int = 0, waiting: int = 0, arrivals: int = 0, request_ms: int = 0) -> None:
        """Have this load of a revision told from now on; the counters are sums."""
        self.loads = {**self.loads, key: RevisionLoad(in_flight, waiting, arrivals, request_ms, 0)}
        self.told += 1

    async def drained(self, address: str, wait_s: float) -> bool:
        waited = 0.0
        while self._flies(address) and waited < wait_s:
            await self.sleep(LOOK_S)
            waited += LOOK_S
        return not self._flies(address)

    def _flies(self, address: str) -> bool:
        self._enter()
        return self.flying.get(address, 0) > 0

    @property
    def last(self) -> GatewaySnapshot:
        return self.sent[-1]

    def addresses(self, key: str) -> tuple[str, ...]:
        """Give the endpoints that the gateway has for a revision."""
        return self.last.endpoints[key].addresses
