"""Decisions: what to create, start and remove, as a pure function of what was observed, remembered and the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from runyard.scaling.settings import SURPLUS_GRACE_S
from services.orchestrator.instances.backoff import slot_after_failure
from services.orchestrator.instances.observation import (
    Action,
    CreateInstance,
    EndBoost,
    FreezeInstance,
    Memory,
    Observation,
    RemoveInstance,
    Slot,
    StartContainer,
    ThawInstance,
)
from services.orchestrator.model.instance import UNKNOWN, Health, Instance, edit_of, failure_of, is_ready
from services.orchestrator.model.parts import data_volumes

FRESH = Slot(failures=0, not_before=0.0)
# How long after it became ready an instance may take the CPU of its start (Cloud Run: 10 s).
BOOST_S = 10.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Actions in a fixed order, what to remember, and when to decide again if nothing else happens (None: never)."""

    actions: tuple[Action, ...]
    memory: Memory
    due: float | None


def decide(observation: Observation, memory: Memory, now: float) -> Decision:
    """Decide; equal arguments give equal decisions, and each instance gets at most one action."""
    idle = [each for each in observation.instances if each.id not in observation.busy]
    failures = {each.id: failure_of(each, observation.health) or _unfinished(each, observation) for each in idle}
    dead = [each for each in idle if failures[each.id]]
    alive = [each for each in idle if not failures[each.id]]
    actions: list[Action] = [RemoveInstance(each.id, failures[each.id], drained=False) for each in dead]
    edits = {each.id: edit for each in alive if (edit := _edit(each, observation))}
    memory = _remember(observation, memory, alive, [*dead, *(each for each in alive if each.id in edits)], now)
    actions += [RemoveInstance(each.id) for each in alive if each.id in observation.draining]
    alive = [each for each in alive if each.id not in observation.draining]
    # Removed as what is surplus is: nothing failed, so no failure is noted and nobody waits.
    asked = {each.id: "" for each in alive if each.id in observation.restarting and observation.wanted.get(each.key)}
    edits = asked | edits
    actions += _replaced(observation, alive, edits)
    alive = [each for each in alive if each.id not in edits]
    excess = _surplus(observation, memory, alive)
    memory = replace(memory, surplus_since={each.id: memory.surplus_since.get(each.id, now) for each in excess})
    expired = {each.id for each in excess if _expired(each, observation, memory, now)}
    actions += [RemoveInstance(each) for each in sorted(expired)]
    for instance in alive:
        if instance.id not in memory.surplus_since:
            actions += _next_starts(instance, observation)
            actions += _frozen_or_thawed(instance, observation)
    chosen = {each.instance for each in actions}
    ended, ending = _boosts(memory, [each for each in alive if each.id not in chosen], now)
    actions += ended
    created, memory, waiting = _create_missing(observation, memory, alive, now)
    waiting += [memory.surplus_since[each.id] + SURPLUS_GRACE_S for each in excess if each.id not in expired]
    waiting += ending
    return Decision((*actions, *created), memory, min(waiting, default=None))


def note_failed_start(memory: Memory, revision: str, instance: str, now: float) -> Memory:
    """Remember that an instance could not even be made or started, so that the next try waits its turn."""
    slot = slot_after_failure(memory.attempts.get(instance, 0), None, now)
    attempts = {key: value for key, value in memory.attempts.items() if key != instance}
    return replace(memory, slots={**memory.slots, revision: (*memory.slots.get(revision, ()), slot)}, attempts=attempts)


def _expired(instance: Instance, observation: Observation, memory: Memory, now: float) -> bool:
    if instance.service_key in observation.deleted or instance.key in observation.abandoned:
        return True
    # Whoever is to have its volumes next waits for its end.
    if instance.data:
        return True
    return now - memory.surplus_since[instance.id] >= SURPLUS_GRACE_S


def _edit(instance: Instance, observation: Observation) -> str:
    """Describe an edit of an instance that is wanted; one that is not goes as any surplus does."""
    return edit_of(instance, observation.revisions) if observation.wanted.get(instance.key) else ""


def _replaced(observation: Observation, alive: list[Instance], edits: Mapping[str, str]) -> list[Action]:
    """Remove instances that are no longer what their document makes, once others serve in their place."""
    ready: dict[str, int] = {}
    for each in alive:
        if each.id not in edits and is_ready(each, observation.health):
            ready[each.key] = ready.get(each.key, 0) + 1
    return [
        RemoveInstance(each.id, edits[each.id])
        for each in sorted(alive, key=lambda each: each.id)
        if each.id in edits
        # Nobody can serve in the place of one that has its volumes for itself.
        and (
            each.data
            or not is_ready(each, observation.health)
            or ready.get(each.key, 0) >= observation.wanted[each.key]
        )
    ]


def _unfinished(instance: Instance, observation: Observation) -> str:
    # Left by an orchestrator that was killed between two creations.
    revision = observation.revisions.get(instance.key)
    if revision is None:
        return ""
    present = {each.name: each for each in instance.containers}
    began = False
    for part in reversed(revision.parts):
        container = present.get(part.document.name)
        # What was there to end may be pruned once something that waits for it was started.
        if container is None and not (part.role == "init" and began):
            return "its making was interrupted"
        began = began or (container is not None and container.state != "created")
    return ""


def _remember(
    observation: Observation, memory: Memory, alive: list[Instance], failed: list[Instance], now: float
) -> Memory:
    slots = {key: value for key, value in memory.slots.items() if key in observation.wanted}
    for instance in failed:
        # A removal that has to be tried again is still the same one failure.
        if instance.key in observation.wanted and instance.id not in memory.counted:
            attempts = memory.attempts.get(instance.id, 0)
            slot = slot_after_failure(attempts, memory.ready_since.get(instance.id), now)
            slots[instance.key] = (*slots.get(instance.key, ()), slot)
    known = {each.id for each in observation.instances} | set(observation.starting)
    ready = {each.id for each in alive if is_ready(each, observation.health)}
    # One that is held to its CPU now serves on.
    ready |= memory.ready_since.keys() & observation.starting.keys()
    return replace(
        memory,
        slots=slots,
        attempts={key: value for key, value in memory.attempts.items() if key in known},
        counted=(memory.counted | {each.id for each in failed}) & known,
        ready_since={each: memory.ready_since.get(each, now) for each in sorted(ready)},
    )


def _surplus(observation: Observation, memory: Memory, alive: Iterable[Instance]) -> list[Instance]:
    by_revision: dict[str, list[Instance]] = {}
    for instance in alive:
        by_revision.setdefault(instance.key, []).append(instance)
    surplus: list[Instance] = []
    for key, instances in sorted(by_revision.items()):
        keep = observation.wanted.get(key, 0)
        if keep and key not in observation.revisions:
            # Its document cannot be read: what runs cannot be made again, so all of it stays.
            continue
        ranked = sorted(instances, key=lambda each: _rank(each, observation, memory))
        if not keep and key in observation.freezing:
            # One that is frozen already is as good as one that serves; what is starting has nothing worth keeping.
            kept = [each for each in ranked if each.frozen or is_ready(each, observation.health)][:1]
            surplus += [each for each in ranked if each not in kept]
            continue
        surplus += ranked[keep:]
    return surplus


def _rank(instance: Instance, observation: Observation, memory: Memory) -> tuple[bool, bool, int, str]:
    """Order instances by what is kept first: what serves, what has more in flight, what is older.

    What was chosen to go once stays chosen, or it would never have been so for long enough to go.
    """
    busy = observation.in_flight.get(instance.id, 0)
    return not is_ready(instance, observation.health), instance.id in memory.surplus_since, -busy, instance.id


def _frozen_or_thawed(instance: Instance, observation: Observation) -> list[FreezeInstance | ThawInstance]:
    """Freeze what is kept though nothing is wanted of it, and thaw what is wanted; it needs no more than its state."""
    wanted = observation.wanted.get(instance.key, 0)
    if wanted and instance.frozen:
        return [ThawInstance(instance.id, instance.key)]
    if not wanted and instance.key in observation.freezing and is_ready(instance, observation.health):
        return [FreezeInstance(instance.id)]
    return []


def _boosts(memory: Memory, alive: Iterable[Instance], now: float) -> tuple[list[EndBoost], list[float]]:
    """End the boosts that are over; also give the times at which others will be."""
    boosted = [each for each in alive if each.boosted and each.id in memory.ready_since]
    ends = {each.id: memory.ready_since[each.id] + BOOST_S for each in boosted}
    over = [EndBoost(each.id, each.key) for each in boosted if ends[each.id] <= now]
    return over, [at for at in ends.values() if at > now]


def _next_starts(instance: Instance, observation: Observation) -> list[StartContainer]:
    revision = observation.revisions.get(instance.key)
    if revision is None:
        return []
    waiting = {each.name: each for each in instance.containers if each.state == "created"}
    if not waiting:
        return []
    present = {each.name: each for each in instance.containers}
    for part in revision.parts:
        before = present.get(part.document.name)
        if part.role == "app" or before is None:
            continue
        if before.state == "created":
            return [StartContainer(instance.id, instance.key, before.id)]
        if not (before.done if part.role == "init" else before.state == "running"):
            return []
    started = {each.name for each in instance.containers if _started(each.id, observation.health)}
    for document in revision.containers:
        container = waiting.get(document.name)
        if container is not None and started.issuperset(document.depends_on):
            # One at a time: the instance is busy until it has started, and the next pass looks again.
            return [StartContainer(instance.id, instance.key, container.id)]
    return []


def _started(container: str, health: Mapping[str, Health]) -> bool:
    return health.get(container, UNKNOWN).started


def _written(observation: Observation) -> set[str]:
    """Name the engine's volumes that have a writer: by the book, and of what is about to be entered there."""
    return {
        *observation.written,
        *(name for key in observation.starting.values() for name in _data_of(observation, key)),
    }


def _data_of(observation: Observation, key: str) -> tuple[str, ...]:
    revision = observation.revisions.get(key)
    return data_volumes(revision.spec) if revision else ()


def _create_missing(
    observation: Observation, memory: Memory, alive: list[Instance], now: float
) -> tuple[list[CreateInstance], Memory, list[float]]:
    """Fill the slots whose time has come; also give the times at which the others may be filled."""
    created: list[CreateInstance] = []
    waiting: list[float] = []
    slots, attempts, sequence = dict(memory.slots), dict(memory.attempts), memory.sequence
    living: dict[str, int] = {}
    # One that is being removed lives no more; one with a container being started does.
    for key in [*observation.starting.values(), *observation.turning.values(), *(each.key for each in alive)]:
        living[key] = living.get(key, 0) + 1
    taken = _written(observation)
    for key in sorted(observation.wanted):
        missing = max(0, observation.wanted[key] - living.get(key, 0)) if key in observation.revisions else 0
        own = _data_of(observation, key)
        if missing and not taken.isdisjoint(own):
            # Its volumes have a writer, which must be gone before; the end of its removal begins another pass.
            continue
        # Of those that write to a volume there is one, whatever is wanted.
        missing = min(missing, 1) if own else missing
        places = sorted(slots.get(key, ()), key=lambda slot: (slot.not_before, slot.failures))[:missing]
        places += [FRESH] * (missing - len(places))
        due = [place for place in places if place.not_before <= now]
        for place in due:
            sequence += 1
            attempts[f"{sequence:x}"] = place.failures
            created.append(CreateInstance(f"{sequence:x}", key))
            taken.update(own)
        later = tuple(place for place in places if place.not_before > now)
        waiting += [place.not_before for place in later]
        slots[key] = later
    slots = {key: value for key, value in slots.items() if value}
    return created, replace(memory, slots=slots, attempts=attempts, sequence=sequence), waiting
