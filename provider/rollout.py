"""Rollouts under way: begun over any connection, told of by one watch, however many services wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from provider.connection import Orchestrator
from runyard.contracts import RolloutAccepted, RolloutOutcome, RolloutOutcomes, ServiceRequest
from runyard.errors import HostError, RolloutError, RunyardError

# Well below the 30 s that the orchestrator lets a watcher wait at most: one that has started anew meanwhile counts from
# the beginning, and is asked so only with the next question.
_WATCH_S = 5.0
# Time over a rollout's own deadline in which the orchestrator removes what failed and says why.
_ANSWER_MARGIN_S = 60.0

Lend = Callable[[str], AbstractContextManager[Orchestrator]]


class Rollouts:
    """The rollouts of one stack that this update has begun.

    `lend` gives connections for requests, `watch` the one that waits for outcomes, which no request should wait for.
    """

    def __init__(self, stack: str, lend: Lend, watch: Lend, clock: Callable[[], float] = time.monotonic) -> None:
        self._stack = stack
        self._lend = lend
        self._watch = watch
        self._clock = clock
        self._news = threading.Condition()
        self._waiting = 0
        self._watching = False
        self._failure: RunyardError | None = None
        self._cancelled = False
        # How many times the watch has asked, and which of these was answered last, by the orchestrator of which epoch.
        self._asked = 0
        self._answered = 0
        self._epoch = ""
        self._outcomes: dict[int, RolloutOutcome] = {}

    def carry_out(self, request: ServiceRequest) -> None:
        """Have a service's documents kept and wait until its rollout is ready; RolloutError says why it is not.

        Where the orchestrator has forgotten it, because it started anew, the service is put again.
        """
        outcome: RolloutOutcome | None = None
        while outcome is None:
            with self._lend(self._stack) as orchestrator:
                accepted = orchestrator.put_service(request)
            outcome = self._wait(accepted, self._clock() + request.rollout.deadline_s + _ANSWER_MARGIN_S)
        if outcome.outcome != "ready":
            raise RolloutError("\n".join([_reason(outcome), *(f"  | {line}" for line in outcome.logs)]))

    def cancel(self) -> None:
        """Let nobody wait any more; what the orchestrator has begun goes on there."""
        with self._news:
            self._cancelled = True
            self._news.notify_all()

    def _wait(self, accepted: RolloutAccepted, give_up: float) -> RolloutOutcome | None:
        """Wait for an outcome; None if the orchestrator has started anew since."""
        with self._news:
            began = self._asked
            self._waiting += 1
            if not self._watching:
                self._watching, self._failure = True, None
                threading.Thread(target=self._follow, name="rollouts", daemon=True).start()
            try:
                while True:
                    if self._cancelled:
                        raise RolloutError("the update was cancelled; the orchestrator goes on with what it has begun")
                    if self._epoch == accepted.epoch:
                        if accepted.rollout in self._outcomes:
                            return self._outcomes[accepted.rollout]
                    elif self._answered > began:
                        # Asked after the rollout was accepted, and answered by another than accepted it.
                        return None
                    if self._failure is not None:
                        raise self._failure
                    left = give_up - self._clock()
                    if left <= 0:
                        raise HostError("the orchestrator has not said how the rollout ended, long after its deadline")
                    self._news.wait(left)
            finally:
                self._waiting -= 1

    def _follow(self) -> None:
        """Ask for outcomes as long as somebody waits for one."""
        after, epoch = 0, ""
        while True:
            with self._news:
                self._asked += 1
                number = self._asked
            try:
                with self._watch(self._stack) as orchestrator:
                    found = orchestrator.outcomes(after, _WATCH_S)
            except RunyardError as error:
                with self._news:
                    self._failure, self._watching = error, False
                    self._news.notify_all()
                return
            # A new orchestrator numbers from the beginning: what it was asked after is of the one before.
            after = 0 if epoch and found.epoch != epoch else found.last
            epoch = found.epoch
            if not self._tell(number, found):
                return

    def _tell(self, number: int, found: RolloutOutcomes) -> bool:
        """Hand out what was found; False if nobody waits any more."""
        with self._news:
            if found.epoch != self._epoch:
                self._epoch, self._outcomes = found.epoch, {}
            self._answered = number
            self._outcomes |= {each.rollout: each for each in found.outcomes}
            self._news.notify_all()
            self._watching = bool(self._waiting)
            return self._watching


def _reason(outcome: RolloutOutcome) -> str:
    if outcome.outcome == "superseded":
        return outcome.detail or f"a newer rollout of {outcome.tenant}/{outcome.service} took its place"
    return outcome.detail or f"rollout of {outcome.tenant}/{outcome.service} failed"
