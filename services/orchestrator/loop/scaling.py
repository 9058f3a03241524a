"""Scaling loop: reads the gateway's load five times a second, hears who waits, and has the autoscaler decide."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from runyard.contracts import GatewayLoad
from runyard.errors import HostError
from services.orchestrator.rollout.joined import Parts

# A step of load shows within this; the decision's windows are of seconds.
READ_S = 0.2
# Without an answer everything is held, and says so as often.
HOLD_S = 1.0
# Memory goes within seconds, not within milliseconds.
HOST_LOOK_S = 1.0
# What was given back for others would at once be taken again by who gave it.
CALM_S = 60.0


class Acting(Protocol):
    """Whoever carries decisions out."""

    @property
    def engine_answers(self) -> bool:
        """Whether the engine answered when it was asked last."""
        ...

    @property
    def settled(self) -> bool:
        """Whether what was found at the start is known."""
        ...


class ScalingLoop:
    """Feeds the autoscaler for ever; the orchestrator's `wake` is set whenever a count changed."""

    def __init__(self, parts: Parts, acting: Acting) -> None:
        self._parts = parts
        self._acting = acting
        self._told = asyncio.Event()
        self._reads = True
        self._looked_s = float("-inf")
        self._short_s = float("-inf")

    def hear(self, key: str) -> None:
        """Hear that a request waits for a revision."""
        # Nothing is decided on what was not seen; the gateway says it again.
        if not self._may_decide:
            return
        timing = self._parts.timing
        if self._parts.autoscaler.wake(key, timing.clock()):
            self._parts.wake.set()
            # How many wait is in the load: whether one is enough shows at once.
            self._told.set()

    @property
    def _may_decide(self) -> bool:
        return self._acting.engine_answers and self._acting.settled

    async def run(self) -> None:
        """Read and decide until cancelled."""
        while True:
            pause = await self.step()
            await self._parts.timing.within(pause, self._told.wait())

    async def step(self) -> float:
        """Read once and decide; give the seconds until the next time."""
        self._told.clear()
        if not self._may_decide:
            return READ_S
        parts, timing = self._parts, self._parts.timing
        self._look_at_host(timing.clock())
        try:
            load = await parts.tools.gateway.load(*parts.autoscaler.position)
        except HostError as error:
            if self._reads:
                self._reads = False
                parts.tools.journal.write("load unknown", level="warning", error=str(error))
            parts.autoscaler.hold(timing.clock())
            return HOLD_S
        if not self._reads:
            self._reads = True
            parts.tools.journal.write("load known")
        self._record(load)
        # The engine may have gone while the gateway answered.
        if self._may_decide and parts.autoscaler.take(load, timing.clock()):
            parts.wake.set()
        return READ_S

    def _record(self, load: GatewayLoad) -> None:
        recorder, now_unix_s = self._parts.recorder, self._parts.timing.wall()
        # Made anew at each change, so most of the time it is the one that was there before.
        recorder.follow(self._parts.store.rollouts, now_unix_s)
        recorder.take(load, self._parts.documents.revisions, now_unix_s)
        recorder.write(now_unix_s)

    def _look_at_host(self, now_s: float) -> None:
        if now_s - self._looked_s < HOST_LOOK_S:
            return
        self._looked_s = now_s
        autoscaler, shortage = self._parts.autoscaler, self._parts.host.shortage()
        relieved = not shortage
        if shortage:
            self._short_s = now_s
        elif now_s - self._short_s < CALM_S:
            shortage = autoscaler.shortage
        if bool(shortage) != bool(autoscaler.shortage):
            event, level = ("host short", "warning") if shortage else ("host has room", "info")
            self._parts.tools.journal.write(event, level=level, of=shortage)
        autoscaler.note_shortage(shortage, self._promises() if shortage else {}, relieved=relieved)

    def _promises(self) -> Mapping[str, int]:
        """Give the bytes of memory that the quotas of tenants allow them."""
        tenants = {each.tenant for each in self._parts.documents.revisions.values()}
        quotas = {tenant: self._parts.claim.quotas(tenant) for tenant in tenants}
        return {tenant: limits["memory"] for tenant, limits in quotas.items() if "memory" in limits}
