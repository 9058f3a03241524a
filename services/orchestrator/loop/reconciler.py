"""Reconciler: observe, decide, act, again at every event and every few seconds, whatever was missed before."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from runyard.errors import HostError
from runyard.journal import Journal
from services.orchestrator.gateway.snapshot import (
    describe_callers,
    describe_endpoints,
    describe_snapshot,
    describe_uses,
    with_pauses,
)
from services.orchestrator.instances.decision import Decision, decide, note_failed_start
from services.orchestrator.instances.observation import (
    Action,
    CreateInstance,
    FreezeInstance,
    Memory,
    Observation,
    RemoveInstance,
    StartContainer,
    one_of_each,
)
from services.orchestrator.instances.operations import Operations
from services.orchestrator.model.instance import Instance, failure_of, is_ready
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.scaling.autoscaler import Sight
from services.orchestrator.scaling.demand import View

# Events are only a wake-up and can be lost; this bounds how long anything can go unseen.
RESYNC_S = 5.0
# A listing takes some 20 ms; an engine that does not answer is asked again after this.
RETRY_S = 0.5
# Running instances found at the start keep their endpoints in the gateway until their first probe has an answer,
# but no longer than this: the promise is to be back in step within three seconds.
SETTLE_S = 2.0
# The gateway answers in a millisecond; one that hangs must not keep instances from starting.
IN_FLIGHT_WAIT_S = 0.3


class Reconciler:
    """The loop; `passed` is called after every pass in which the engine answered."""

    def __init__(self, parts: Parts, passed: Callable[[], None] = lambda: None) -> None:
        self._parts = parts
        self._tools = parts.tools
        self._journal: Journal = parts.tools.journal
        self._passed = passed
        self._operations = Operations(parts.tools, self, self._ended)
        # A clock that was set back must not number a new instance like one that is there.
        last = max((int(each, 16) for each in parts.tools.book.entries), default=0)
        self._memory = Memory(sequence=max(parts.boot_ms, last))
        self._wake = parts.wake
        self._dirty: set[str] = set()
        self._listed_at = float("-inf")
        self._settle_by: float | None = None
        self._settled = asyncio.Event()
        self._engine_answers = True
        self._thorough = False
        self._view: View | None = None
        self.revisions: Mapping[str, Revision] = {}
        self.instances: tuple[Instance, ...] = ()

    # What others ask of it.

    @property
    def engine_answers(self) -> bool:
        """Whether the engine answered when it was asked last."""
        return self._engine_answers

    @property
    def settled(self) -> bool:
        """Whether what was found at the start has been probed, so that decisions are made."""
        return self._settled.is_set()

    @property
    def listed_at(self) -> float:
        """When the engine was last listed in full (the listing began then)."""
        return self._listed_at

    @property
    def operations(self) -> Operations:
        """The operations under way."""
        return self._operations

    def wake(self, *, listing: bool = False) -> None:
        """Make the next pass happen now; with `listing` it lists everything anew."""
        if listing:
            self._listed_at = float("-inf")
        self._wake.set()

    def notice(self, container: str) -> None:
        """Have a container inspected in the next pass, which happens now."""
        self._dirty.add(container)
        self._wake.set()

    def wanted(self) -> Mapping[str, int]:
        """Count the instances that every active revision should have."""
        return self._parts.rollouts.wanted(self.view(), self.instances)

    def view(self) -> View:
        """Give what demand depends on, as it is now; within a pass, as it was when the pass began to decide."""
        return self._view or self._view_of(self._serving())

    def _view_of(self, serving: list[Instance]) -> View:
        ready = Counter(each.key for each in serving)
        return View(self.revisions, ready, self._parts.timing.wall(), self._parts.autoscaler.scaled)

    def ready(self) -> Mapping[str, int]:
        """Count the instances of each revision that serve, or would."""
        return self.view().ready

    def _serving(self) -> list[Instance]:
        health, withdrawn = self._parts.prober.health(), self._operations.withdrawn
        there = [each for each in self.instances if each.id not in withdrawn]
        return [each for each in there if is_ready(each, health) and not failure_of(each, health)]

    def drain_s(self, instance: Instance) -> float:
        """Give the time that requests under way get before the instance is told to stop.

        It is that which any request of the service may take, as on Cloud Run; a service that is being removed gives
        no more than the grace that follows the stop signal.
        """
        route = self._parts.store.routes.get(instance.service_key)
        going = instance.service_key in self._parts.rollouts.deleted
        return instance.grace_s if route is None or going else route.timeout_s

    def is_awake(self, revision: str) -> bool:
        """Tell whether the load asks for instances of a revision, as `tenant/revision`."""
        return self._parts.autoscaler.scaled.get(revision, 0) > 0

    async def publish(self, timeout_s: float) -> bool:
        """Offer the gateway the snapshot of now and wait until it has it; False when the time ran out."""
        # Before the first probes a snapshot would take every endpoint away.
        if not self.settled and not await self._parts.timing.within(timeout_s, self._settled.wait()):
            return False
        return await self._parts.publisher.wait(self._offer(), timeout_s)

    # The loop.

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            pause = await self.step()
            await self._parts.timing.within(pause, self._wake.wait())

    async def step(self) -> float:
        """Do one pass and give the seconds until the next is due."""
        self._wake.clear()
        try:
            await self._observe()
        except HostError as error:
            # No answer is no observation: nothing is decided on it.
            if self._engine_answers:
                self._journal.write("engine lost", level="error", error=str(error))
            self._engine_answers = False
            self._listed_at = float("-inf")
            return RETRY_S
        if not self._engine_answers:
            self._engine_answers = True
            self._journal.write("engine reached")
        if not self._settle():
            return 0.05
        # Looked for once: a pass decides on one view of things.
        now = self._parts.timing.wall()
        demanded, serving = self._parts.rollouts.demanded(now), self._serving()
        paused = self._parts.interventions.pauses(now).keys()
        sight = Sight(demanded, self.revisions, self.instances, serving, frozenset(paused))
        self._parts.autoscaler.follow(sight, self._parts.timing.clock())
        self._view = self._view_of(serving)
        try:
            changes_in_s = self._parts.rollouts.advance(self._view)
            wanted = self.wanted()
            decision = self._decide(wanted, await self._count_in_flight(wanted))
            self._offer()
            self._passed()
        finally:
            self._view = None
        self._forget()
        now = self._parts.timing.clock()
        due = [self._listed_at + RESYNC_S, *([decision.due] if decision.due is not None else [])]
        due += [] if changes_in_s is None else [now + changes_in_s]
        # Never negative, and never a busy loop when the clock and the due time only just differ.
        return max(0.005, min(due) - now)

    async def _observe(self) -> None:
        inventory = self._tools.inventory
        began = self._parts.timing.clock()
        dirty, self._dirty = self._dirty, set()
        if began - self._listed_at >= RESYNC_S:
            thorough, self._thorough = self._thorough, False
            await inventory.refresh(thorough=thorough)
            self._listed_at = began
        elif dirty:
            await inventory.refresh_some(dirty)
        self.revisions = self._parts.documents.revisions
        self.instances = inventory.instances()
        places = {each.id: (each.network, each.address) for each in self.instances}
        self._tools.addresses.sync({**places, **self._parts.run_book.places}, self._operations.busy)
        self._parts.prober.watch(self.instances, self.revisions, adopted=not self.settled)

    def _settle(self) -> bool:
        if self.settled:
            return True
        now, health = self._parts.timing.clock(), self._parts.prober.health()
        if self._settle_by is None:
            self._settle_by = now + SETTLE_S
        probed = [each for each in self.instances if each.key in self.revisions]
        running = [
            each
            for instance in probed
            for each in instance.containers
            if each.state == "running" and each.role == "app"
        ]
        known = [each for each in running if each.id in health and (health[each.id].probed or health[each.id].failed)]
        if len(known) < len(running) and now < self._settle_by:
            return False
        self._settled.set()
        self._parts.decisions.begin(Counter(each.key for each in self.instances))
        self._journal.write("settled", instances=len(self.instances), revisions=len(self.revisions))
        return True

    def _forget(self) -> None:
        """Let go what nothing needs any more: documents, the values that only they named, volumes of instances."""
        entries = self._tools.book.entries.values()
        used = {(each.tenant, each.identity) for each in entries} | self._parts.run_book.documents
        if self._parts.documents.forget(used):
            self._parts.values.keep({each.digest for each in self._parts.documents.secrets})
        self._operations.clear_spent()

    async def _count_in_flight(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Ask for the requests of instances among which some must go; nothing if the gateway does not say."""
        there: dict[str, list[Instance]] = {}
        for each in self.instances:
            if each.id not in self._operations.busy:
                there.setdefault(each.key, []).append(each)
        marked = self._memory.surplus_since
        chosen = [
            each
            for key, mine in there.items()
            if 0 < wanted.get(key, 0) < sum(each.id not in marked for each in mine)
            for each in mine
        ]
        counts: dict[str, int] = {}

        async def ask(each: Instance) -> None:
            counts[each.id] = await self._tools.gateway.in_flight(each.address)

        async def ask_all() -> None:
            await asyncio.gather(*map(ask, chosen))

        try:
            known = not chosen or await self._parts.timing.within(IN_FLIGHT_WAIT_S, ask_all())
        except HostError:
            return {}
        return counts if known else {}

    def _decide(self, wanted_now: Mapping[str, int], in_flight: Mapping[str, int]) -> Decision:
        now, view = self._parts.timing.clock(), self.view()
        self._parts.decisions.follow(
            wanted_now,
            self.revisions,
            lambda key, count: self._parts.rollouts.explain(key, count, view, self._parts.autoscaler.decided(key)),
        )
        self._parts.interventions.keep_instances({each.id for each in self.instances})
        observation = Observation(
            revisions=self.revisions,
            instances=self.instances,
            wanted=wanted_now,
            health=self._parts.prober.health(),
            busy=self._operations.busy,
            starting=self._operations.starting,
            turning=self._operations.freezing,
            deleted=self._parts.rollouts.deleted,
            abandoned=self._parts.rollouts.abandoned - wanted_now.keys(),
            in_flight=in_flight,
            freezing=self._parts.autoscaler.freezers,
            restarting=one_of_each(self.instances, self._parts.interventions.restarting),
            draining=self._parts.interventions.draining,
            written=frozenset(name for each in self._tools.book.entries.values() for name in each.data),
        )
        decision = decide(observation, self._memory, now)
        self._memory = decision.memory
        by_id = {each.id: each for each in self.instances}
        for action in decision.actions:
            revision = (
                None if isinstance(action, RemoveInstance | FreezeInstance) else self.revisions.get(action.revision)
            )
            self._operations.begin(action, by_id.get(action.instance), revision)
        self._tools.failures.keep({*observation.wanted, *(each.key for each in self.instances)})
        return decision

    def _offer(self) -> int:
        store, rollouts, operations = self._parts.store, self._parts.rollouts, self._operations
        health = self._parts.prober.health()
        # Fresher than the last pass: an operation that has just ended has handed its reservation over to it.
        instances = self._tools.inventory.instances()
        sleepers = self._parts.autoscaler.sleepers
        endpoints = describe_endpoints(self.revisions, instances, health, operations.withdrawn, sleepers)
        runs = self._parts.run_book
        callers = describe_callers(instances, {**operations.reserved, **runs.callers})
        live = {*(each.key for each in instances), *operations.starting.values(), *runs.revisions}
        uses = describe_uses(self.revisions, live)
        now = self._parts.timing.wall()
        snapshot = describe_snapshot(store.routes, rollouts.offered(now), endpoints, callers, uses, now)
        snapshot = with_pauses(snapshot, self._parts.interventions.pauses(now))
        return self._parts.publisher.offer(self._tools.base.overlay(snapshot))

    def _ended(self, action: Action, succeeded: bool) -> None:
        if isinstance(action, CreateInstance | StartContainer) and not succeeded:
            now = self._parts.timing.clock()
            self._memory = note_failed_start(self._memory, action.revision, action.instance, now)
        self._wake.set()

    async def watch_events(self) -> None:
        """Turn the engine's events into wake-ups, for ever; a broken stream means that some were missed."""
        while True:
            try:
                async for event in self._tools.engine.events():
                    # Networks tell of every container on the host.
                    if event.ours or self._tools.inventory.knows(event.container):
                        self.notice(event.container)
            except HostError as error:
                self._journal.write("events lost", level="warning", error=str(error))
            # An edit does not show in a listing: all is inspected again.
            self._thorough = True
            self.wake(listing=True)
            await self._parts.timing.sleep(RETRY_S)


__all__ = ["RESYNC_S", "SETTLE_S", "Reconciler"]
