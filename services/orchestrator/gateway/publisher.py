"""Publisher: keeps the gateway at the snapshot last offered, whatever happens to either of them.

What the gateway has confirmed is the base of what it is sent next, which is only what changed. It gets a whole snapshot
the first time, and whenever it turns out to have something else, as after a restart.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from runyard.contracts import GatewaySnapshot
from runyard.errors import HostError
from runyard.journal import Journal
from services.orchestrator.gateway.client import Gateway
from services.orchestrator.gateway.snapshot import describe_delta
from services.orchestrator.timing import Timing

# How often the gateway is asked whether it still has what it was sent: a restarted one is whole again within this.
CHECK_S = 1.0
# A gateway that is starting is there within a fraction of a second; asking faster would only fill the log.
RETRY_S = 0.1


class Publisher:
    """Sends snapshots one at a time; those offered meanwhile melt into the newest."""

    def __init__(self, gateway: Gateway, journal: Journal, timing: Timing) -> None:
        self._gateway = gateway
        self._journal = journal
        self._timing = timing
        self._offered: GatewaySnapshot | None = None
        self._version = 0
        self._confirmed_version = 0
        self._in_force = GatewaySnapshot(0)
        self._wake = asyncio.Event()
        self._confirmed = asyncio.Condition()
        self._reachable = True

    @property
    def generation(self) -> int:
        """The generation that the gateway confirmed last; 0 for none."""
        return self._in_force.generation

    @property
    def in_step(self) -> bool:
        """Whether the gateway has what was offered last."""
        return self._reachable and self._version == self._confirmed_version and self._version > 0

    def offer(self, snapshot: GatewaySnapshot) -> int:
        """Offer a snapshot (its generation does not count) and give a version to wait for."""
        if snapshot != self._offered:
            self._offered = snapshot
            self._version += 1
            self._wake.set()
        return self._version

    async def wait(self, version: int, timeout_s: float) -> bool:
        """Wait until the gateway has this version or a newer one; False when the time ran out."""
        return await self._timing.within(timeout_s, self._reached(version))

    async def _reached(self, version: int) -> None:
        async with self._confirmed:
            await self._confirmed.wait_for(lambda: self._confirmed_version >= version)

    async def run(self) -> None:
        """Keep the gateway in step until cancelled."""
        while True:
            try:
                await self._converge()
                pause = CHECK_S
                if not self._reachable:
                    self._reachable = True
                    self._journal.write("gateway reached")
            except HostError as error:
                pause = RETRY_S
                if self._reachable:
                    self._reachable = False
                    self._journal.write("gateway lost", level="error", error=str(error))
            # If nothing new is offered: look whether the gateway still has what it was sent.
            await self._timing.within(pause, self._wake.wait())

    async def _converge(self) -> None:
        self._wake.clear()
        if self._offered is None:
            return
        whole = self.generation == 0
        if self._version == self._confirmed_version:
            if await self._gateway.generation() == self.generation:
                return
            self._journal.write("gateway out of step", generation=self.generation)
            whole = True
        version, offered = self._version, self._offered
        sent = replace(offered, generation=self.generation + 1)
        if whole or not await self._gateway.amend(describe_delta(self._in_force, sent)):
            sent = await self._send_whole(offered)
        self._in_force = sent
        async with self._confirmed:
            self._confirmed_version = version
            self._confirmed.notify_all()
        if self._version != version:
            self._wake.set()

    async def _send_whole(self, offered: GatewaySnapshot) -> GatewaySnapshot:
        # Only the gateway knows how far an earlier orchestrator had counted.
        generation = max(await self._gateway.generation(), self.generation) + 1
        snapshot = replace(offered, generation=generation)
        if not await self._gateway.put(snapshot):
            raise HostError(f"send snapshot {generation} to the gateway: it has a newer one again")
        return snapshot
