"""Rollouts: the one owner of those in force and those under way, and of what they want of each revision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from runyard.contracts import RolloutRequest, RouteRequest
from runyard.journal import Journal
from runyard.names import service_key
from runyard.scaling.counts import with_most
from runyard.scaling.decision import Decision
from runyard.scaling.schedule import Stretch
from services.orchestrator.gateway.base import Base
from services.orchestrator.model.instance import Instance
from services.orchestrator.rollout.explanation import Grounds, explain
from services.orchestrator.scaling.decisions import Explanation
from services.orchestrator.scaling.demand import View, give_way, needed, serving_now, take_on, take_over, wanted
from services.orchestrator.scaling.timetable import Timetable
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.store.interventions import Interventions
from services.orchestrator.traffic.commitment import Commitment, commit, due_in_s, traffic_in_force


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a rollout would put in force: the traffic, and with it the route unless that stays as it is.

    `staying` are the identities of the documents that stay after it; None leaves all.
    """

    rollout: RolloutRequest
    route: RouteRequest | None = None
    staying: frozenset[str] | None = None

    @property
    def key(self) -> str:
        """Name its service across tenants."""
        return service_key(self.rollout.tenant, self.rollout.service)


class Rollouts:
    """Rollouts by `tenant/service`; `changed` is called whenever what is wanted may be another.

    In force is what `store` keeps and, for services that were lost, what `base` has of them.
    """

    def __init__(
        self,
        store: DesiredStore,
        base: Base,
        interventions: Interventions,
        journal: Journal,
        changed: Callable[[], object],
    ) -> None:
        self._store = store
        self._interventions = interventions
        self._base = base
        self._journal = journal
        self._changed = changed
        self._under_way: dict[str, RolloutRequest] = {}
        self._deleted: set[str] = set()
        self._abandoned: set[str] = set()
        self._timetable, self._timetable_under_way = Timetable(journal), Timetable(journal)

    @property
    def in_force(self) -> Mapping[str, Commitment]:
        """The rollouts in force."""
        return self._store.rollouts

    def demanded(self, now_unix_s: float) -> Mapping[str, Commitment]:
        """Give the rollouts in force as they count instances: by schedule, by hand where asked, and as budgets let."""
        overrides = self._interventions.overrides(now_unix_s)
        self._timetable.keep(self.in_force.keys())
        counted = {key: self._timetable.count(key, each, now_unix_s) for key, each in self.in_force.items()}
        if overrides:
            counted = {
                key: replace(each, manual_instances=overrides[key].count) if key in overrides else each
                for key, each in counted.items()
            }
        return self._restrict(counted, now_unix_s)

    def offered(self, now_unix_s: float) -> Mapping[str, Commitment]:
        """Give the rollouts in force as the gateway has them: who may have no instances is stopped."""
        return self._restrict(self.in_force, now_unix_s)

    def _restrict(self, rollouts: Mapping[str, Commitment], now_unix_s: float) -> Mapping[str, Commitment]:
        most = {each.tenant: each.most for each in self._interventions.restrictions(now_unix_s).values()}
        if not most:
            return rollouts
        return {
            key: with_most(each, most[each.tenant]) if each.tenant in most else each for key, each in rollouts.items()
        }

    @property
    def stretches(self) -> Mapping[str, Stretch]:
        """What the schedules of services in force asked for when they were counted last, by `tenant/service`."""
        return self._timetable.stretches

    @property
    def deleted(self) -> frozenset[str]:
        """The services that were removed on purpose: their instances need no grace."""
        return frozenset(self._deleted)

    @property
    def abandoned(self) -> frozenset[str]:
        """The revisions, as `tenant/revision`, that a failed rollout leaves and that need no grace."""
        return frozenset(self._abandoned)

    def propose(self, service: str, request: RolloutRequest) -> None:
        """Want the revisions of a rollout beside those in force, until it is withdrawn or another is proposed."""
        self._under_way[service] = request
        self._deleted.discard(service)
        self._changed()

    def withdraw(self, service: str) -> None:
        """Want what is in force alone; no rollout under way is no error."""
        self._under_way.pop(service, None)
        self._changed()

    def commit(self, proposal: Proposal, view: View) -> None:
        """Put a rollout whose revisions are ready in force; where nothing serves now, nothing is moved gradually."""
        request, now = proposal.rollout, view.now_unix_s
        current, counted = self._current(proposal.key, now), self._coming(proposal.key, request, now)
        before = traffic_in_force(current, now) if current and serving_now(counted, current, view) else ()
        commitment = commit(request, before, take_over(counted, current, view), now)
        if proposal.route is None:
            self._store.put_rollout(commitment)
        else:
            self._store.put(proposal.route, commitment)
        self._base.settle(proposal.key)

    def delete(self, tenant: str, service: str) -> None:
        """Forget a service; its instances go without the grace that a roll-back may need."""
        key = service_key(tenant, service)
        self._under_way.pop(key, None)
        self._store.delete(tenant, service)
        self._interventions.end_override(tenant, service)
        self._interventions.end_pause(tenant, service)
        self._base.settle(key)
        self._deleted.add(key)
        self._changed()

    def abandon(self, revisions: Collection[str]) -> None:
        """Let the instances of revisions that nobody wants go at once."""
        self._abandoned |= set(revisions)
        self._changed()

    def spare(self, revisions: Collection[str]) -> None:
        """Let the instances of revisions go no sooner than others'."""
        self._abandoned -= set(revisions)
        self._changed()

    def needed(self, request: RolloutRequest, view: View) -> dict[str, int]:
        """Count the instances that every revision of a request must have before its traffic moves."""
        key, now = service_key(request.tenant, request.service), view.now_unix_s
        return needed(self._coming(key, request, now), self._current(key, now), view)

    def needed_in_force(self, view: View) -> dict[str, int]:
        """Count the instances without which the revisions in force are not as they should be, asleep or not."""
        found = [needed(each, each, view) for each in self.demanded(view.now_unix_s).values()]
        return {key: count for each in found for key, count in each.items()}

    def wanted(self, view: View, instances: Iterable[Instance]) -> dict[str, int]:
        """Count the instances of every active revision: of a rollout in force, or of one under way.

        What serves since before a loss is wanted as it is, until its service is put in force or deleted.
        """
        now = view.now_unix_s
        self._timetable_under_way.keep(self._under_way.keys())
        coming = {key: self._coming(key, each, now) for key, each in self._under_way.items()}
        found = wanted(self.demanded(now), coming, view)
        there = [each.key for each in instances]
        for key in self._base.revisions.intersection(there):
            found[key] = max(there.count(key), found.get(key, 0))
        return give_way(found, self._under_way, view.revisions)

    def explain(self, key: str, count: int, view: View, decided: Decision | None = None) -> Explanation:
        """Say why a revision, `tenant/revision`, should have this number; `decided` is what its load asked for last."""
        overrides, now = self._interventions.overrides(view.now_unix_s), view.now_unix_s
        scene = (view.revisions, self.in_force, self._under_way, overrides, self.stretches)
        return explain(key, count, Grounds(*scene, now, decided, self._interventions.restrictions(now)))

    def advance(self, view: View) -> float | None:
        """Take every rollout in force on to now, and give the seconds until time alone changes one; None for never."""
        waits = []
        for before in self.in_force.values():
            commitment = take_on(before, view)
            if commitment != before:
                self._store.put_rollout(commitment)
                self._note(commitment)
            wait = due_in_s(commitment, view.now_unix_s)
            waits += [] if wait is None else [wait]
        scheduled = self._timetable.due_in_s(view.now_unix_s)
        return min([*waits, *([] if scheduled is None else [scheduled])], default=None)

    def _current(self, service: str, now_unix_s: float) -> Commitment | None:
        current = self.in_force.get(service)
        return None if current is None else self._timetable.count(service, current, now_unix_s)

    def _coming(self, service: str, request: RolloutRequest, now_unix_s: float) -> RolloutRequest:
        return self._timetable_under_way.count(service, request, now_unix_s)

    def _note(self, commitment: Commitment) -> None:
        event = "shift stalled" if commitment.stalled else "shift begun again" if commitment.before else "shift done"
        level = "warning" if commitment.stalled else "info"
        self._journal.write(event, level=level, service=service_key(commitment.tenant, commitment.service))
