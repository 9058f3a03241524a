"""Pending rollouts: each from request to outcome; what is asked for is put in force in one step, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runyard.contracts import Outcome, RolloutOutcome
from runyard.errors import DeadlineError, RunyardError
from runyard.names import service_key
from services.orchestrator.instances.failures import Failure
from services.orchestrator.instances.operations import Operations
from services.orchestrator.model.instance import UNKNOWN, Instance
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.ending import Ending, Progress, RolloutFailed, RolloutSuperseded, decide_ending
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.rollout.outcomes import OutcomeLog
from services.orchestrator.rollout.rollouts import Proposal
from services.orchestrator.scaling.demand import View

# The gateway takes a snapshot in milliseconds; one that is being restarted is back within this.
CONFIRM_S = 5.0
# On top of an instance's grace: for the engine to take the containers away, on a busy machine.
REMOVAL_MARGIN_S = 30.0


class Ground(Protocol):
    """What rollouts stand on: what the loop saw last, and what it does for them."""

    @property
    def revisions(self) -> Mapping[str, Revision]:
        """The revisions, by `tenant/revision`."""
        ...

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The instances of the book, as they were seen last."""
        ...

    @property
    def listed_at(self) -> float:
        """When the engine was last listed in full (the listing began then)."""
        ...

    @property
    def operations(self) -> Operations:
        """The operations under way."""
        ...

    def view(self) -> View:
        """Give what demand depends on."""
        ...

    def wanted(self) -> Mapping[str, int]:
        """Count the instances that every active revision should have."""
        ...

    def wake(self, *, listing: bool = False) -> None:
        """Look again now; with `listing` at everything."""
        ...

    async def publish(self, timeout_s: float) -> bool:
        """Offer the gateway the snapshot of now and wait until it has it; False when the time ran out."""
        ...


@dataclass(slots=True)
class _Pending:
    number: int
    proposal: Proposal
    began: float
    before: Mapping[str, int]
    verdict: asyncio.Future[Ending] = field(default_factory=asyncio.Future)


class PendingRollouts:
    """The rollouts under way, at most one a service; a newer one supersedes."""

    def __init__(
        self, parts: Parts, ground: Ground, outcomes: OutcomeLog, cover: Callable[[], Awaitable[None]]
    ) -> None:
        self._parts = parts
        self._ground = ground
        self._outcomes = outcomes
        # Hosts and tags have certificates; where those are made at once a rollout ends with them.
        self._cover = cover
        self._pending: dict[str, _Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._passes = asyncio.Condition()

    @property
    def services(self) -> frozenset[str]:
        """The services with a rollout under way."""
        return frozenset(self._pending)

    def begin(self, proposal: Proposal) -> tuple[int, asyncio.Task[None]]:
        """Begin a rollout and give its number and the work, which fails as the rollout does."""
        self.supersede(proposal.key)
        self._count += 1
        before = {name: failure.total for name, failure in self._parts.tools.failures.last().items()}
        pending = _Pending(self._count, proposal, self._parts.timing.clock(), before)
        self._pending[proposal.key] = pending
        self._parts.rollouts.propose(proposal.key, proposal.rollout)
        # What a lost book had is taken over by a listing.
        self._ground.wake(listing=True)
        task = asyncio.create_task(self._run(pending))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return pending.number, task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # Those who began it may wait for its outcome alone.
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, RunyardError):
            self._parts.tools.journal.write("rollout broke", level="error", error=repr(error))

    def supersede(self, key: str) -> None:
        """End the rollout under way of a service, if there is one."""
        pending = self._pending.pop(key, None)
        if pending is not None and not pending.verdict.done():
            pending.verdict.set_exception(RolloutSuperseded(f"rollout {key}: superseded by a newer request"))

    async def close(self) -> None:
        """Abandon what is under way: who asked for it asks again."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, pending: _Pending) -> None:
        key, detail, logs = pending.proposal.key, "", tuple[str, ...]()
        outcome: Outcome = "failed"
        try:
            await self._carry_out(key, pending)
            outcome = "ready"
        except asyncio.CancelledError:
            outcome, detail = "superseded", f"rollout {key}: its asker went away"
            raise
        except RolloutSuperseded as error:
            outcome, detail = "superseded", str(error)
            raise
        except Exception as error:
            detail, logs = str(error), getattr(error, "logs", ())
            raise
        finally:
            self._end(key, pending)
            await self._note(pending, outcome, detail, logs)

    async def _note(self, pending: _Pending, outcome: Outcome, detail: str, logs: tuple[str, ...]) -> None:
        request, level = pending.proposal.rollout, "error" if outcome == "failed" else "info"
        self._parts.tools.journal.write(
            f"rollout {outcome}", level=level, service=pending.proposal.key, rollout=pending.number, detail=detail
        )
        await self._outcomes.note(
            RolloutOutcome(pending.number, request.tenant, request.service, outcome, detail, tuple(logs))
        )

    async def _carry_out(self, key: str, pending: _Pending) -> None:
        try:
            verdict = await pending.verdict
            if self._pending.get(key) is not pending:
                raise RolloutSuperseded(f"rollout {key}: superseded by a newer request")
            if verdict.outcome == "failed":
                raise RolloutFailed(f"rollout {key}: {verdict.detail}", verdict.logs or await self._logs(verdict))
            # From here on nothing waits until all is on disk: it is put in force in full or not at all.
            self._commit(pending.proposal)
        except RolloutFailed as error:
            raise await self._cleared(key, pending, error) from None
        self._end(key, pending)
        if not await self._ground.publish(CONFIRM_S):
            raise DeadlineError(f"rollout {key}: kept, but the gateway did not confirm it in {CONFIRM_S:.0f} s")
        await self._cover()

    def _commit(self, proposal: Proposal) -> None:
        self._parts.rollouts.commit(proposal, self._ground.view())
        if proposal.staying is not None:
            self._parts.documents.leave(proposal.key, proposal.staying)

    def _end(self, key: str, pending: _Pending) -> None:
        if self._pending.get(key) is pending:
            del self._pending[key]
            self._parts.rollouts.withdraw(key)

    async def _cleared(self, key: str, pending: _Pending, error: RolloutFailed) -> RolloutFailed:
        """Remove the instances of the revisions that failed, and give the error to tell."""
        self._end(key, pending)
        request = pending.proposal.rollout
        left = {service_key(request.tenant, each.revision) for each in request.traffic}
        left -= self._ground.wanted().keys()
        self._parts.rollouts.abandon(left)
        mine = [each for each in self._ground.instances if each.key in left]
        allowed = REMOVAL_MARGIN_S + max((each.grace_s for each in mine), default=0)
        try:
            if not await self._parts.timing.within(allowed, self._until(lambda: not self._remaining(left))):
                names = ", ".join(self._remaining(left))
                return RolloutFailed(f"{error}; its instances are still being removed: {names}", error.logs)
        finally:
            self._parts.rollouts.spare(left)
        return error

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds after a pass."""
        async with self._passes:
            await self._passes.wait_for(condition)

    def _remaining(self, revisions: Collection[str]) -> list[str]:
        """Name the instances of these revisions, those being made included."""
        operations = self._ground.operations
        made = {each.id for each in self._ground.instances if each.key in revisions}
        return sorted(made | {each for each, key in operations.starting.items() if key in revisions})

    # How rollouts come to their verdict.

    def judge_all(self) -> None:
        """Judge every rollout under way on what the last pass saw."""
        # Once for all: hundreds may be under way, each with a few of the instances.
        problems = self._problems() if self._pending else {}
        for pending in self._pending.values():
            verdict = decide_ending(pending.proposal.rollout, self._progress(pending, problems))
            if verdict is not None and not pending.verdict.done():
                pending.verdict.set_result(verdict)
        # Those who wait for instances to go look again; a task, because a pass does not wait for them.
        self._waking = asyncio.create_task(self._wake_waiters())

    async def _wake_waiters(self) -> None:
        async with self._passes:
            self._passes.notify_all()

    async def watch_deadlines(self) -> None:
        """Judge what has run out of time, for ever: a deadline passes without any event."""
        # A tenth of a second late is no harm.
        while True:
            await self._parts.timing.sleep(0.1)
            now = self._parts.timing.clock()
            if any(now - each.began >= each.proposal.rollout.deadline_s for each in self._pending.values()):
                self.judge_all()

    def _problems(self) -> dict[str, str]:
        """Describe what probes last saw of each revision that has a problem."""
        health, withdrawn = self._parts.prober.health(), self._ground.operations.withdrawn
        problems: dict[str, str] = {}
        for instance in self._ground.instances:
            seen = [health.get(each.id, UNKNOWN) for each in instance.containers if instance.id not in withdrawn]
            problem = next((each.failed or each.problem for each in seen if each.failed or each.problem), "")
            if problem:
                problems[instance.key] = problem
        return problems

    def _progress(self, pending: _Pending, problems: Mapping[str, str]) -> Progress:
        ground = self._ground
        view, request = ground.view(), pending.proposal.rollout
        return Progress(
            revisions=ground.revisions,
            needed=self._parts.rollouts.needed(request, view),
            ready=view.ready,
            failures=self._since(pending),
            problems=problems,
            listed=ground.listed_at >= pending.began,
            waited_s=self._parts.timing.clock() - pending.began,
        )

    def _since(self, pending: _Pending) -> dict[str, Failure]:
        found = {}
        for key, failure in self._parts.tools.failures.last().items():
            new = failure.total - pending.before.get(key, 0)
            if new > 0:
                streak = min(failure.streak, new)
                found[key] = Failure(failure.reason, failure.logs, failure.final, new, streak)
        return found

    async def _logs(self, verdict: Ending) -> tuple[str, ...]:
        instance = next((each for each in self._ground.instances if each.key == verdict.revision), None)
        return await self._ground.operations.last_lines(instance) if instance else ()
