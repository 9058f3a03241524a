"""Autoscaler: what the load asks of each revision in force; it remembers, and `runyard.scaling` decides.

A revision that nobody calls and that has no more than it must costs nothing: it is neither observed nor decided on.
After a restart a revision keeps what runs of it until its window has been told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import is_not

from runyard.contracts import GatewayLoad, RevisionLoad
from runyard.scaling.counts import Span
from runyard.scaling.decision import Decision
from runyard.scaling.scaler import STALE_S, Memory, Situation, decide
from runyard.scaling.sharing import Claimant, share
from runyard.scaling.window import Sample
from services.orchestrator.model.instance import Instance
from services.orchestrator.model.revision import Revision
from services.orchestrator.scaling.consumption import Consumption
from services.orchestrator.scaling.subject import Subject, subjects
from services.orchestrator.traffic.commitment import Commitment

# A wake is said every 100 ms for as long as somebody waits; two may get lost.
WOKEN_S = 0.3
# What nobody calls is looked at once a second, well within what the window takes for a gap.
IDLE_LOOK_S = 1.0
_NONE = RevisionLoad(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is in force and what is there: rollouts by service, revisions by name, instances and those that serve.

    Of the services that are `paused` nothing is decided: they keep what they have.
    """

    rollouts: Mapping[str, Commitment]
    revisions: Mapping[str, Revision]
    instances: tuple[Instance, ...]
    serving: Sequence[Instance]
    paused: frozenset[str] = frozenset()


@dataclass(slots=True)
class Followed:
    """A revision in force: what it should have, what is remembered of it, and what was decided on it.

    `present` are all that are there, those on their way out too; `allowed` is its share of a host that is full.
    """

    subject: Subject
    memory: Memory
    count: int
    ready: int = 0
    woken_s: float = -math.inf
    observed_s: float = -math.inf
    latest: Decision | None = None
    paused: bool = False
    present: int = 0
    allowed: int | None = None


class Autoscaler:
    """The revisions in force with what they should have; `consumption` reads what their instances use."""

    def __init__(self, consumption: Consumption) -> None:
        self._consumption = consumption
        self._followed: dict[str, Followed] = {}
        self._source: tuple[object, ...] = ()
        self._subjects: Mapping[str, Subject] = {}
        # What the gateway told last of every revision, in this life of it.
        self._loads: dict[str, RevisionLoad] = {}
        self._shortage = ""
        self._promises: Mapping[str, int] = {}
        self._relieved = False
        # What all instances together may take while the host is short: what they took when it began to be.
        self._room: int | None = None
        self._life = ""
        self._generation = 0
        self._offset_s = 0.0
        self._now_s = -math.inf

    @property
    def followed(self) -> Mapping[str, Followed]:
        """The revisions in force, by `tenant/revision`."""
        return self._followed

    @property
    def scaled(self) -> Mapping[str, int]:
        """Count the instances that each revision should have for its load, by `tenant/revision`."""
        return {key: each.count for key, each in self._followed.items()}

    def decided(self, key: str) -> Decision | None:
        """Give what was decided last on a revision, `tenant/revision`; None if nothing was yet."""
        each = self._followed.get(key)
        return each.latest if each else None

    @property
    def sleepers(self) -> frozenset[str]:
        """The revisions that may have no instances, and then wait for a request."""
        return frozenset(key for key, each in self._followed.items() if each.subject.sleeps)

    @property
    def shortage(self) -> str:
        """What the host is short of, for which nothing is added; empty when it has room."""
        return self._shortage

    def note_shortage(
        self, shortage: str, promises: Mapping[str, int] | None = None, *, relieved: bool = False
    ) -> None:
        """Take what the host is short of; until it is not, revisions share what they have, and each may have one.

        `promises` are the bytes of memory that tenants' quotas allow them. Once it is `relieved` for the moment, those
        below their share get what the others gave back.
        """
        self._shortage, self._promises, self._relieved = shortage, promises or {}, relieved
        if not shortage:
            self._room = None
            for each in self._followed.values():
                each.allowed = None

    @property
    def freezers(self) -> frozenset[str]:
        """Those of the sleepers that keep an instance, paused."""
        return frozenset(key for key, each in self._followed.items() if each.subject.sleeps and each.subject.freezes)

    @property
    def position(self) -> tuple[int, str]:
        """Generation and life of what the gateway told last, to ask it for what is new."""
        return self._generation, self._life

    def follow(self, sight: Sight, now_s: float) -> None:
        """Take over what is in force; what is new begins with the instances that are there."""
        subjects = self._subjects_of(sight)
        present, ready, containers = dict[str, int](), dict[str, int](), dict[str, list[str]]()
        for each in sight.instances:
            # What is frozen sleeps.
            present[each.key] = present.get(each.key, 0) + (not each.frozen)
        for each in sight.serving:
            # What an instance needs to start says nothing of what it needs to serve.
            ready[each.key] = ready.get(each.key, 0) + 1
            # Nor does what it takes of more CPU than it will have.
            counted = [part for part in each.containers if part.role == "app" and not part.boosted]
            running = [part.id for part in counted if part.state == "running"]
            containers.setdefault(each.key, []).extend(running)
        self._consumption.follow(containers)
        for gone in self._followed.keys() - subjects.keys():
            del self._followed[gone]
        for gone in self._loads.keys() - sight.revisions.keys():
            del self._loads[gone]
        for key, subject in subjects.items():
            followed = self._followed.get(key)
            if followed is None:
                followed = Followed(subject, Memory(subject.settings, now_s), present.get(key, 0))
                self._followed[key] = followed
            elif subject.settings != followed.subject.settings:
                followed.memory = Memory(subject.settings, now_s)
            followed.subject, followed.ready, followed.present = subject, ready.get(key, 0), present.get(key, 0)
            followed.count = subject.within(followed.count)
            followed.paused = sight.revisions[key].service_key in sight.paused

    def _subjects_of(self, sight: Sight) -> Mapping[str, Subject]:
        # Most passes see the same rollouts and documents as the one before.
        source = (*sight.rollouts.values(), *sight.revisions.values())
        if len(source) != len(self._source) or any(map(is_not, source, self._source)):
            self._source = source
            self._subjects = subjects(sight.rollouts.values(), sight.revisions)
        return self._subjects

    def take(self, load: GatewayLoad, now_s: float) -> bool:
        """Take what the gateway tells, decide on it, and tell whether any count changed."""
        before_s, before = self._now_s, dict[str, RevisionLoad]()
        if load.life != self._life:
            # All sums have begun anew: nothing that was told counts on.
            self._life, self._loads = load.life, {}
            self._offset_s, before_s = now_s - load.at_ms / 1000, -math.inf
        self._generation = load.generation
        # The gateway's clock is exact about its sums, and ours goes by the same second.
        at_s = self._now_s = max(before_s, load.at_ms / 1000 + self._offset_s)
        for key, told in load.revisions.items():
            before[key] = self._loads.get(key, _NONE)
            self._loads[key] = told
        changed = False
        self._share(at_s)
        for key, each in self._followed.items():
            if each.paused:
                continue
            if key in before and each.observed_s < before_s:
                # Until then all was as it had been told.
                self._observe(key, each, before[key], before_s)
            if key in before or self._worth_a_look(key, each, at_s):
                self._observe(key, each, self._loads.get(key, _NONE), at_s)
                changed |= self._decide(each, at_s)
        return changed

    def hold(self, now_s: float) -> None:
        """Decide without being told anything: everything keeps what it has, and says so."""
        self._now_s = max(self._now_s, now_s)
        for each in self._followed.values():
            # Nothing is taken away for others on what is not told.
            each.allowed = None
            if each.count > each.subject.span.least and not each.paused:
                self._decide(each, self._now_s)

    def wake(self, key: str, now_s: float) -> bool:
        """Hear that a request waits for a revision, decide, and tell whether its count changed."""
        each = self._followed.get(key)
        if each is None or each.paused:
            return False
        self._now_s = max(self._now_s, now_s)
        each.woken_s = self._now_s
        return each.count == 0 and self._decide(each, self._now_s)

    def _worth_a_look(self, key: str, each: Followed, now_s: float) -> bool:
        told = self._loads.get(key, _NONE)
        if told.in_flight or told.waiting or now_s - each.woken_s <= WOKEN_S:
            return True
        return each.count > each.subject.span.least and now_s - each.observed_s >= IDLE_LOOK_S

    def _observe(self, key: str, each: Followed, told: RevisionLoad, at_s: float) -> None:
        each.observed_s = at_s
        used = self._consumption.of(key, at_s)
        each.memory.observe(
            Sample(
                at_s,
                told.in_flight,
                told.waiting,
                told.arrivals,
                told.request_ms,
                # Its sums may have begun anew without the gateway.
                f"{self._life}/{told.since_ms}" if told is not _NONE else self._life,
                cpu_ms=used.cpu_ms if used else None,
                memory_bytes=used.memory_bytes if used else None,
            )
        )

    def _share(self, at_s: float) -> None:
        """Say how many each may have while the host is short: what others gave back, and not before it is free."""
        if not self._shortage:
            return
        taken = sum(max(each.count, each.present) * each.subject.memory_bytes for each in self._followed.values())
        self._room = taken if self._room is None else self._room
        counts = share({key: _claimant(each, at_s) for key, each in self._followed.items()}, self._promises, self._room)
        free = self._room - taken if self._relieved else 0
        for key, each in self._followed.items():
            more = max(0, counts[key] - each.count)
            granted = min(more, max(0, free) // max(1, each.subject.memory_bytes))
            free -= granted * each.subject.memory_bytes
            each.allowed = min(counts[key], each.count) + granted

    def _span_of(self, each: Followed) -> Span:
        span = each.subject.span
        if not self._shortage or span.least == span.most:
            return span
        most = max(1, span.least, each.count if each.allowed is None else each.allowed)
        return Span(span.least, most if span.most is None else min(span.most, most))

    def _decide(self, each: Followed, now_s: float) -> bool:
        woken = now_s - each.woken_s <= WOKEN_S
        span = self._span_of(each)
        situation = Situation(each.count, each.ready, span, woken, shared=span != each.subject.span)
        decision = decide(each.subject.settings, each.memory, situation, now_s)
        each.latest = decision
        if decision.count == each.count:
            return False
        each.count = decision.count
        return True


def _claimant(each: Followed, at_s: float) -> Claimant:
    """Give what a revision claims of the host: what its load needs, where that is known of now."""
    subject, latest, wanted = each.subject, each.latest, each.count
    if latest is not None and not each.paused and not latest.hold and at_s - each.observed_s < STALE_S:
        wanted = subject.within(latest.inputs.wanted)
    # What is paused, and what has its number given, keeps what it has; what somebody calls has its first.
    kept = each.count if each.paused else max(subject.span.least, min(1, each.count))
    return Claimant(subject.tenant, subject.priority, subject.memory_bytes, kept, max(kept, wanted))
