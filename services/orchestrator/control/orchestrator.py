"""Orchestrator: what can be asked of it; services are accepted at once, the rest is answered when it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from runyard.contracts import (
    ContainerOwner,
    DecisionList,
    DrainAccepted,
    DrainRequest,
    EndpointList,
    Holdings,
    InstanceList,
    OrchestratorStatus,
    Override,
    PartStatus,
    Pause,
    PauseRequest,
    RecordedLoad,
    RestartAccepted,
    RestartRequest,
    Restrictions,
    RevisionList,
    RollbackRequest,
    RolloutAccepted,
    RolloutOutcomes,
    RolloutRequest,
    ScaleRequest,
    ServiceList,
    ServiceRequest,
)
from runyard.errors import NotFound, UsageError
from runyard.names import service_key
from runyard.scaling.schedule import minimum_at
from runyard.units import render_time
from services.orchestrator.control.holdings import describe_holdings
from services.orchestrator.control.listing import (
    list_decisions,
    list_endpoints,
    list_instances,
    list_owners,
    list_revisions,
    list_services,
)
from services.orchestrator.control.status import Scene, describe_status
from services.orchestrator.loop.reconciler import Reconciler
from services.orchestrator.loop.scaling import ScalingLoop
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.rollout.outcomes import OutcomeLog
from services.orchestrator.rollout.pending import CONFIRM_S, PendingRollouts
from services.orchestrator.rollout.rollback import roll_back
from services.orchestrator.rollout.rollouts import Proposal
from services.orchestrator.runs.runs import Runs
from services.orchestrator.scaling.capacity import most_instances
from services.orchestrator.store.acceptance import check_writers
from services.orchestrator.timing import Timing
from services.orchestrator.traffic.commitment import Commitment, shares_to_serve

# Where the manifest sets no limit: what no host of ours runs of one service, and what a slip of the finger asks for.
LARGEST_COUNT = 1_000
# What is to last longer belongs into the manifest.
LONGEST_OVERRIDE_S = 7 * 24 * 3600
# The longest month, and what clocks of two parts may differ.
LONGEST_RESTRICTION_S = 31 * 24 * 3600 + 300


class Orchestrator:
    """The control API's other side; `cover` is called when hosts may have changed."""

    def __init__(self, parts: Parts, cover: Callable[[], Awaitable[None]]) -> None:
        self._parts = parts
        self._reconciler = Reconciler(parts, lambda: self._pending.judge_all())
        # A clock that was set back could repeat a number, not within a life of the machine's counter.
        self._outcomes = OutcomeLog(f"{parts.boot_ms:x}", parts.timing)
        self._pending = PendingRollouts(parts, self._reconciler, self._outcomes, cover)
        self._scaling = ScalingLoop(parts, self._reconciler)
        self.runs = Runs(parts, self._reconciler.publish)

    @property
    def epoch(self) -> str:
        """What names this life of the process."""
        return self._outcomes.epoch

    @property
    def timing(self) -> Timing:
        """The clock that it goes by."""
        return self._parts.timing

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
            group.create_task(self._pending.watch_deadlines())
            group.create_task(self._scaling.run())
            group.create_task(self.runs.run())
            group.create_task(self._parts.upkeep.run())

    def hear(self, revision: str) -> None:
        """Hear that a request waits for a revision, `tenant/revision`, that has no instance; the gateway repeats it."""
        self._scaling.hear(revision)

    def put_service(self, request: ServiceRequest) -> RolloutAccepted:
        """Keep a service's documents and begin its rollout; UsageError or ContractError says what does not fit."""
        check_traffic(request.rollout)
        revisions = self._read(request)
        # The values first: a document is never here without them.
        self._parts.values.put(request.values)
        self._parts.documents.put(request.revisions)
        staying = frozenset(each.spec.identity for each in revisions)
        number, _ = self._pending.begin(Proposal(request.rollout, request.route, staying))
        return RolloutAccepted(self._outcomes.epoch, number)

    def _read(self, request: ServiceRequest) -> tuple[Revision, ...]:
        where = f"service {request.rollout.tenant}/{request.rollout.service}"
        revisions = tuple(map(self._parts.documents.read, request.revisions))
        for each in revisions:
            if (each.tenant, each.service) != (request.rollout.tenant, request.rollout.service):
                raise UsageError(f"{where}: revision document {each.spec.identity} is of {each.service_key}")
            for secret in each.spec.secrets:
                if secret.digest not in request.values:
                    raise UsageError(f"{where}: {each.name}: secret {secret.name} has no value of key {secret.key}")
        check_writers(request.rollout, (each.spec for each in revisions))
        missing = {each.revision for each in request.rollout.traffic} - {each.name for each in revisions}
        if missing:
            raise UsageError(f"{where}: traffic names what has no document: {', '.join(sorted(missing))}")
        return revisions

    async def outcomes(self, after: int, wait_s: float) -> RolloutOutcomes:
        """Give the rollouts that ended after this number, once there are any, or when the wait is over."""
        return await self._outcomes.after(after, wait_s)

    async def roll_back(self, request: RollbackRequest) -> None:
        """Move a service's traffic to one of its revisions; NotFound if it is not kept, RolloutError as any rollout."""
        current = self._parts.rollouts.in_force.get(service_key(request.tenant, request.service))
        rollout = roll_back(current, request)
        check_traffic(rollout)
        _, work = self._pending.begin(Proposal(rollout))
        # Whoever goes away takes an unfinished one along.
        await work

    async def delete_service(self, tenant: str, service: str) -> None:
        """Take a service's traffic away, as soon as the gateway can be told; its instances and documents go after."""
        key = service_key(tenant, service)
        self._pending.supersede(key)
        self._parts.rollouts.delete(tenant, service)
        self._parts.documents.leave(key, ())
        self._parts.recorder.forget(key)
        # A gateway that is away sends no traffic; it must not keep a stack from being taken down, nor leave Pulumi
        # with a service that is forgotten here. It gets what is left before anything else when it is back.
        if not await self._reconciler.publish(CONFIRM_S):
            self._parts.tools.journal.write("removal not confirmed", level="warning", service=key)

    def scale(self, request: ScaleRequest) -> Override:
        """Have a number of instances for a while, and give until when.

        NotFound without such a service, UsageError for more than its manifest, and so its tenant's quota, lets it have.
        """
        where = f"scale {request.tenant}/{request.service}"
        rollout = self._in_force(where, request.tenant, request.service)
        held, shares = self._parts.documents.revisions, shares_to_serve(rollout)
        keys = [service_key(request.tenant, name) for name in shares]
        bound = most_instances([held[key].spec for key in keys if key in held], rollout)
        most = LARGEST_COUNT if bound is None else bound
        if not 0 <= request.count <= most:
            raise UsageError(f"{where}: count must be from 0 to {most}, got {request.count}")
        _check_length(where, request.for_s)
        now = self._parts.timing.wall()
        override = Override(request.tenant, request.service, request.count, int(now) + request.for_s)
        self._parts.interventions.put_override(override, now)
        told = {"service": service_key(request.tenant, request.service), "count": request.count, "for_s": request.for_s}
        self._parts.tools.journal.write("scaled by hand", **told)
        self._reconciler.wake()
        return override

    def end_scale(self, tenant: str, service: str) -> None:
        """Have the number of instances again that manifest and load ask for; NotFound without such a service."""
        self._in_force(f"scale {tenant}/{service}", tenant, service)
        self._parts.interventions.end_override(tenant, service)
        self._parts.tools.journal.write("scale by hand ended", service=service_key(tenant, service))
        self._reconciler.wake()

    def restrict(self, message: Restrictions) -> None:
        """Have these restrictions in the place of all that there were; UsageError for one that lasts too long."""
        now = self._parts.timing.wall()
        for each in message.restrictions:
            if each.most < 0 or each.until_unix_s > now + LONGEST_RESTRICTION_S:
                where, said = f"restrict {each.tenant}", f"{each.most} until {render_time(each.until_unix_s)}"
                raise UsageError(f"{where}: must be a number from 0 for at most a month, got {said}")
        if self._parts.interventions.put_restrictions(message.restrictions):
            told = {each.tenant: f"at most {each.most}: {each.reason}" for each in message.restrictions}
            self._parts.tools.journal.write("restricted by budgets", level="warning" if told else "info", tenants=told)
            self._reconciler.wake()

    def pause(self, request: PauseRequest) -> Pause:
        """Keep a service's requests from its instances for a while; NotFound without such a service."""
        where = f"pause {request.tenant}/{request.service}"
        self._in_force(where, request.tenant, request.service)
        _check_length(where, request.for_s)
        now = self._parts.timing.wall()
        pause = Pause(request.tenant, request.service, int(now) + request.for_s)
        self._parts.interventions.put_pause(pause, now)
        service = service_key(request.tenant, request.service)
        self._parts.tools.journal.write("paused", service=service, for_s=request.for_s)
        self._reconciler.wake()
        return pause

    def resume(self, tenant: str, service: str) -> None:
        """Send a service's requests on again, those that are held too; NotFound without such a service."""
        self._in_force(f"resume {tenant}/{service}", tenant, service)
        self._parts.interventions.end_pause(tenant, service)
        self._parts.tools.journal.write("resumed", service=service_key(tenant, service))
        self._reconciler.wake()

    def restart(self, request: RestartRequest) -> RestartAccepted:
        """Begin to replace instances of a service; NotFound without such a service, others' instances are refused."""
        there = self._named("restart", request)
        self._parts.interventions.restart(there)
        self._reconciler.wake()
        return RestartAccepted(there)

    def drain(self, request: DrainRequest) -> DrainAccepted:
        """Withdraw instances of a service at once, and replace them; NotFound and UsageError as of a restart."""
        there = self._named("drain", request)
        self._parts.interventions.drain(there)
        self._reconciler.wake()
        return DrainAccepted(there)

    def _named(self, doing: str, request: RestartRequest | DrainRequest) -> tuple[str, ...]:
        """Give the instances of a request that there are still."""
        where = f"{doing} {request.tenant}/{request.service}"
        self._in_force(where, request.tenant, request.service)
        mine = service_key(request.tenant, request.service)
        owners = {each.id: each.service_key for each in self._reconciler.instances}
        for each in request.instances:
            if owners.get(each, mine) != mine:
                raise UsageError(f"{where}: instance {each} is of {owners[each]}")
        there = tuple(sorted(owners.keys() & set(request.instances)))
        self._parts.tools.journal.write(doing, service=mine, instances=there)
        return there

    def _in_force(self, where: str, tenant: str, service: str) -> Commitment:
        rollout = self._parts.rollouts.in_force.get(service_key(tenant, service))
        if rollout is None:
            raise NotFound(f"{where}: it has no traffic in force")
        return rollout

    def services(self) -> ServiceList:
        """List the services."""
        return list_services(self._parts, self.status())

    def revisions(self) -> RevisionList:
        """List the revisions that should have instances or have some."""
        return list_revisions(self.status())

    def instances(self) -> InstanceList:
        """List the instances, runs among them."""
        return list_instances(self._parts, self._scene(), self._reconciler.operations.withdrawn, self.runs.instances())

    def owners(self) -> Mapping[str, ContainerOwner]:
        """List whose the engine's containers are, by their ids."""
        return list_owners(self._parts)

    def endpoints(self) -> EndpointList:
        """List where revisions are reached."""
        return list_endpoints(self.status(), self._scene())

    def parts(self) -> tuple[PartStatus, ...]:
        """List the parts of the platform beside the one that leads."""
        return self._parts.upkeep.status()

    def decisions(self) -> DecisionList:
        """List the last decisions on counts."""
        return list_decisions(self._parts)

    async def recorded_load(self, tenant: str, service: str) -> RecordedLoad:
        """Give the requests of a service by the minute; NotFound without such a service."""
        return await self._parts.recorder.read(tenant, service, self._parts.timing.wall())

    def status(self) -> OrchestratorStatus:
        """Describe everything as it is now."""
        return describe_status(self._parts, self._scene())

    def holdings(self) -> Holdings:
        """Describe what there is of everything that updates put; certificates and claim are their owners' to add."""
        return describe_holdings(self._parts, self._scene())

    def _scene(self) -> Scene:
        reconciler = self._reconciler
        return Scene(
            revisions=reconciler.revisions,
            instances=reconciler.instances,
            needed=self._parts.rollouts.needed_in_force(reconciler.view()),
            wanted=reconciler.wanted(),
            ready=reconciler.ready(),
            pending=self._pending.services,
            engine_answers=reconciler.engine_answers and reconciler.settled,
        )

    async def close(self) -> None:
        """Stop what is under way, and write what is recorded of the last minutes; instances go on."""
        await self._pending.close()
        await self.runs.close()
        await self._reconciler.operations.close()
        await self._parts.prober.close()
        self._parts.recorder.write(self._parts.timing.wall(), everything=True)


def _check_length(where: str, for_s: int) -> None:
    if not 0 < for_s <= LONGEST_OVERRIDE_S:
        raise UsageError(f"{where}: for_s must be from 1 to {LONGEST_OVERRIDE_S}, got {for_s}")


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
    try:
        # Whoever asks may know zones that are not known here.
        minimum_at(request.schedule, 0)
    except ValueError as error:
        raise UsageError(f"{where}: schedule: {error}") from None
