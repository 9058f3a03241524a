"""Outcomes: how rollouts ended, kept for whoever watches; one watch tells of all of them."""

from __future__ import annotations

import asyncio
from collections import deque

from runyard.contracts import RolloutOutcome, RolloutOutcomes
from services.orchestrator.timing import Timing

# A watcher that is slower than this many rollouts puts its services again; an update has a few hundred.
KEPT = 2_000
# Shorter than what lies between (relays, proxies) takes for a dead connection.
LONGEST_WAIT_S = 30.0


class OutcomeLog:
    """The last outcomes, numbered from 1 in the order in which they came; `epoch` names this life of the process."""

    def __init__(self, epoch: str, timing: Timing) -> None:
        self.epoch = epoch
        self._timing = timing
        self._last = 0
        self._kept: deque[tuple[int, RolloutOutcome]] = deque(maxlen=KEPT)
        self._changed = asyncio.Condition()

    async def note(self, outcome: RolloutOutcome) -> None:
        """Note how a rollout ended, and tell those who wait."""
        self._last += 1
        self._kept.append((self._last, outcome))
        async with self._changed:
            self._changed.notify_all()

    async def after(self, number: int, wait_s: float) -> RolloutOutcomes:
        """Give the outcomes after this number; while there are none, wait for one, but no longer than this."""
        # A number that was never given is of another epoch, and its asker should know soon.
        if number == self._last and wait_s > 0:
            await self._timing.within(min(wait_s, LONGEST_WAIT_S), self._grown(number))
        found = tuple(outcome for index, outcome in self._kept if index > number)
        return RolloutOutcomes(self.epoch, self._last, found)

    async def _grown(self, number: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._last > number)
