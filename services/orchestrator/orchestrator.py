"""Orchestrator: what can be asked of it, each request answered when it is done or known to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from runyard.contracts import OrchestratorStatus, RollbackRequest, RolloutRequest, RouteRequest
from runyard.errors import DeadlineError, UsageError
from runyard.names import service_key
from services.orchestrator.commitment import commit, traffic_in_force
from services.orchestrator.demand import needed, serving_now, take_over
from services.orchestrator.failures import Failure
from services.orchestrator.reconciler import Parts, Reconciler
from services.orchestrator.rollback import roll_back
from services.orchestrator.rollouts import Progress, RolloutFailed, RolloutSuperseded, Verdict, judge
from services.orchestrator.state import UNKNOWN, Instance
from services.orchestrator.status import describe_status

# The gateway takes a snapshot in milliseconds; one that is being restarted is back within this.
CONFIRM_S = 5.0
# On top of an instance's grace: for the engine to take the containers away, on a busy machine.
REMOVAL_MARGIN_S = 30.0


@dataclass(slots=True)
class _Pending:
    request: RolloutRequest
    began: float
    before: Mapping[str, int]
    verdict: asyncio.Future[Verdict] = field(default_factory=asyncio.Future)


class Orchestrator:
    """The control API's other side."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reconciler = Reconciler(parts, self._judge_all)
        self._pending: dict[str, _Pending] = {}
        self._passes = asyncio.Condition()

    @property
    def healthy(self) -> bool:
        """Whether the engine answers and the gateway has what it should."""
        return self._reconciler.engine_answers and self._reconciler.settled and self._parts.publisher.in_step

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._parts.publisher.run())
            group.create_task(self._reconciler.watch_events())
            group.create_task(self._reconciler.run())
            group.create_task(self._watch_deadlines())

    async def put_route(self, request: RouteRequest) -> None:
        """Answer these hosts with this service; DeadlineError if the gateway does not confirm in time."""
        self._parts.store.put_route(request)
        await self._confirm(f"route {request.tenant}/{request.service}")

    async def delete_route(self, tenant: str, service: str) -> None:
        """Answer a service's hosts no longer, as soon as the gateway can be told."""
        self._parts.store.delete_route(tenant, service)
        await self._withdraw(service_key(tenant, service))

    async def roll_out(self, request: RolloutRequest) -> None:
        """Make every named revision ready, then move the traffic; RolloutError if that cannot be."""
        check_traffic(request)
        key = service_key(request.tenant, request.service)
        self._supersede(key)
        before = {name: failure.total for name, failure in self._parts.tools.failures.last().items()}
        pending = self._pending[key] = _Pending(request, self._parts.timing.clock(), before)
        self._reconciler.set_candidate(key, request)
        # The templates may be milliseconds old: list now rather than wait for their events.
        self._reconciler.wake(listing=True)
        try:
            verdict = await pending.verdict
            if self._pending.get(key) is not pending:
                raise RolloutSuperseded(f"rollout {key}: superseded by a newer request")
            if verdict.outcome == "failed":
                raise RolloutFailed(f"rollout {key}: {verdict.detail}", verdict.logs or await self._logs(verdict))
            # From here on nothing waits until the traffic is on disk: it is moved in full or not at all.
            self._commit(key, request)
        except RolloutFailed as error:
            raise await self._cleared(key, pending, error) from None
        finally:
            self._end(key, pending)
        await self._confirm(f"rollout {key}")

    async def roll_back(self, request: RollbackRequest) -> None:
        """Move a service's traffic to one of its revisions; NotFound if it is not kept, RolloutError as any rollout."""
        current = self._parts.store.rollouts.get(service_key(request.tenant, request.service))
        await self.roll_out(roll_back(current, request))

    def _commit(self, key: str, request: RolloutRequest) -> None:
        """Put a rollout whose revisions are ready in force; where nothing serves now, nothing is moved gradually."""
        store, view = self._parts.store, self._reconciler.view()
        current = store.rollouts.get(key)
        before = traffic_in_force(current, view.now_unix_s) if current and serving_now(request, current, view) else ()
        store.put_rollout(commit(request, before, take_over(request, current, view), view.now_unix_s))

    def _end(self, key: str, pending: _Pending) -> None:
        if self._pending.get(key) is pending:
            del self._pending[key]
            self._reconciler.set_candidate(key, None)

    async def _cleared(self, key: str, pending: _Pending, error: RolloutFailed) -> RolloutFailed:
        """Remove the instances of the revisions that failed, and give the error to tell."""
        self._end(key, pending)
        left = {service_key(pending.request.tenant, each.revision) for each in pending.request.traffic}
        left -= self._reconciler.wanted().keys()
        self._reconciler.set_abandoned(left, abandoned=True)
        mine = [each for each in self._reconciler.instances if each.key in left]
        allowed = REMOVAL_MARGIN_S + max((each.grace_s for each in mine), default=0)
        try:
            if not await self._parts.timing.within(allowed, self._until(lambda: not self._remaining(left))):
                names = ", ".join(self._remaining(left))
                return RolloutFailed(f"{error}; its instances are still being removed: {names}", error.logs)
        finally:
            self._reconciler.set_abandoned(left, abandoned=False)
        return error

    async def delete_service(self, tenant: str, service: str) -> None:
        """Take a service's traffic away and remove its instances; DeadlineError if they do not go in time."""
        key = service_key(tenant, service)
        self._supersede(key)
        self._reconciler.set_candidate(key, None)
        self._parts.store.delete_rollout(tenant, service)
        await self._withdraw(key)
        self._reconciler.set_deleted(key)
        self._reconciler.wake(listing=True)
        allowed = REMOVAL_MARGIN_S + 2 * max((each.grace_s for each in self._instances_of(key)), default=0)
        asked = self._parts.timing.clock()
        if not await self._parts.timing.within(
            allowed, self._until(lambda: self._reconciler.listed_at >= asked and not self._remains(key))
        ):
            left = ", ".join(each.id for each in self._instances_of(key))
            raise DeadlineError(f"remove service {key}: still there after {allowed:.0f} s: {left}")

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds after a pass."""
        async with self._passes:
            await self._passes.wait_for(condition)

    def status(self) -> OrchestratorStatus:
        """Describe everything as it is now."""
        reconciler = self._reconciler
        return describe_status(
            self._parts,
            reconciler.revisions,
            reconciler.instances,
            reconciler.wanted(),
            engine_answers=reconciler.engine_answers and reconciler.settled,
        )

    async def close(self) -> None:
        """Stop what is under way; instances go on."""
        await self._reconciler.operations.close()
        await self._parts.prober.close()

    # How rollouts come to their verdict.

    def _judge_all(self) -> None:
        for pending in self._pending.values():
            verdict = judge(pending.request, self._progress(pending))
            if verdict is not None and not pending.verdict.done():
                pending.verdict.set_result(verdict)
        # Those who wait for instances to go look again; a task, because a pass does not wait for them.
        self._waking = asyncio.create_task(self._wake_waiters())

    async def _wake_waiters(self) -> None:
        async with self._passes:
            self._passes.notify_all()

    async def _watch_deadlines(self) -> None:
        # A deadline passes without any event; a tenth of a second late is no harm.
        while True:
            await self._parts.timing.sleep(0.1)
            now = self._parts.timing.clock()
            if any(now - each.began >= each.request.deadline_s for each in self._pending.values()):
                self._judge_all()

    def _progress(self, pending: _Pending) -> Progress:
        reconciler, health = self._reconciler, self._parts.prober.health()
        view, key = reconciler.view(), service_key(pending.request.tenant, pending.request.service)
        problems: dict[str, str] = {}
        for instance in reconciler.instances:
            if instance.id in reconciler.operations.withdrawn:
                continue
            seen = [health.get(each.id, UNKNOWN) for each in instance.containers]
            problem = next((each.failed or each.problem for each in seen if each.failed or each.problem), "")
            if problem:
                problems[instance.key] = problem
        failures = {key: value for key, value in self._since(pending).items() if value.total > 0}
        return Progress(
            revisions=reconciler.revisions,
            needed=needed(pending.request, self._parts.store.rollouts.get(key), view),
            ready=view.ready,
            failures=failures,
            problems=problems,
            listed=reconciler.listed_at >= pending.began,
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

    async def _logs(self, verdict: Verdict) -> tuple[str, ...]:
        instance = next((each for each in self._reconciler.instances if each.key == verdict.revision), None)
        return await self._reconciler.operations.last_lines(instance) if instance else ()

    def _supersede(self, key: str) -> None:
        pending = self._pending.pop(key, None)
        if pending is not None and not pending.verdict.done():
            pending.verdict.set_exception(RolloutSuperseded(f"rollout {key}: superseded by a newer request"))

    async def _withdraw(self, key: str) -> None:
        # A gateway that is away sends no traffic; it must not keep a stack from being taken down, nor leave Pulumi
        # with a route that is forgotten here. It gets what is left before anything else when it is back.
        if not await self._reconciler.publish(CONFIRM_S):
            self._parts.tools.journal.write("removal not confirmed", level="warning", service=key)

    async def _confirm(self, what: str) -> None:
        if not await self._reconciler.publish(CONFIRM_S):
            raise DeadlineError(f"{what}: kept, but the gateway did not confirm it in {CONFIRM_S:.0f} s")

    def _instances_of(self, key: str) -> list[Instance]:
        return [each for each in self._reconciler.instances if each.service_key == key]

    def _remaining(self, revisions: Collection[str]) -> list[str]:
        """Name the instances of these revisions, those being made included."""
        operations = self._reconciler.operations
        made = {each.id for each in self._reconciler.instances if each.key in revisions}
        return sorted(made | {each for each, key in operations.starting.items() if key in revisions})

    def _remains(self, key: str) -> bool:
        starting = self._reconciler.operations.starting.values()
        mine = {
            name for name, each in self._reconciler.revisions.items() if service_key(each.tenant, each.service) == key
        }
        return bool(self._instances_of(key)) or any(name in mine for name in starting)


def check_traffic(request: RolloutRequest) -> None:
    """Refuse traffic that no gateway could keep to; UsageError says which rule was broken."""
    where = f"rollout {request.tenant}/{request.service}"
    total = sum(share.percent for share in request.traffic)
    if total != 100 or any(share.percent < 0 for share in request.traffic):
        raise UsageError(f"{where}: traffic must add up to 100 percent, got {total}")
    tags = [share.tag for share in request.traffic if share.tag]
    if len(tags) != len(set(tags)):
        raise UsageError(f"{where}: a tag must name one revision, got {', '.join(sorted(tags))}")
    if request.deadline_s <= 0:
        raise UsageError(f"{where}: deadline_s must be positive, got {request.deadline_s}")
    counts = (request.min_instances, request.max_instances, request.manual_instances or 0, request.duration_s)
    if min(counts) < 0:
        raise UsageError(f"{where}: instance counts and duration_s must not be negative, got {min(counts)}")
