"""Status: everything the orchestrator knows, as one message."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from runyard.contracts import (
    Objective,
    OrchestratorStatus,
    RevisionStatus,
    ScheduleStatus,
    ServiceStatus,
    ShiftStatus,
    TrafficShare,
)
from runyard.names import service_key
from runyard.scaling.schedule import Stretch
from services.orchestrator.gateway.snapshot import describe_uses
from services.orchestrator.model.instance import UNKNOWN, Health, Instance, failure_of, is_ready
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.traffic.commitment import (
    Commitment,
    held_counts,
    remaining_hold_s,
    remaining_shift_s,
    traffic_in_force,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is there at a moment; maps are by `tenant/revision`, `pending` are the services with a rollout under way.

    `needed` counts the instances without which a service is not as it should be; what the load asks for beyond them
    comes and goes.
    """

    revisions: Mapping[str, Revision]
    instances: tuple[Instance, ...]
    needed: Mapping[str, int]
    wanted: Mapping[str, int]
    ready: Mapping[str, int]
    pending: frozenset[str]
    engine_answers: bool


def in_step(parts: Parts, scene: Scene) -> bool:
    """Tell whether the gateway has all that it should, and nothing that was kept is unreadable."""
    return scene.engine_answers and parts.publisher.in_step and not (parts.store.corrupt or parts.documents.corrupt)


def describe_status(parts: Parts, scene: Scene) -> OrchestratorStatus:
    """Describe services and their revisions, ordered by name; only revisions that are wanted or have instances."""
    store, in_force, now = parts.store, parts.rollouts.in_force, parts.timing.wall()
    services = []
    pauses, restrictions = parts.interventions.pauses(now), parts.interventions.restrictions(now)
    uses = describe_uses(scene.revisions, {each.key for each in scene.instances})
    for key in sorted({*store.routes, *in_force}):
        tenant, _, service = key.partition("/")
        route, rollout = store.routes.get(key), in_force.get(key)
        hosts = route.hosts if route else ()
        traffic, shift = _describe_traffic(rollout, now) if rollout else ((), None)
        history = rollout.history if rollout else ()
        schedule = _describe_stretch(parts.rollouts.stretches.get(key))
        until = pauses[key].until_unix_s if key in pauses else 0
        told = (hosts, uses.get(key, ()), traffic, history, shift, schedule, until)
        objective = route.objective if route else Objective()
        services.append(ServiceStatus(tenant, service, *told, objective, restrictions.get(tenant)))
    held = _held(in_force.values(), now)
    by_revision: dict[str, list[Instance]] = {key: [] for key in scene.wanted}
    for each in scene.instances:
        by_revision.setdefault(each.key, []).append(each)
    described, sleepers = [], parts.autoscaler.sleepers
    for key, mine in sorted(by_revision.items()):
        found = _describe_revision(parts, key, scene.revisions.get(key), mine, scene.wanted.get(key, 0))
        asleep = key in sleepers and not found.desired and all(each.frozen for each in mine)
        described.append(replace(found, held_s=held.get(key, 0), asleep=asleep))
    return OrchestratorStatus(
        generation=parts.publisher.generation,
        in_step=in_step(parts, scene),
        services=tuple(services),
        revisions=tuple(described),
        problems=tuple(_problems(parts, scene)),
        leader=parts.upkeep.leads,
        parts=parts.upkeep.status(),
    )


def _problems(parts: Parts, scene: Scene) -> Iterator[str]:
    if not scene.engine_answers:
        yield "the container engine does not answer"
    for each in parts.upkeep.status():
        if each.state not in ("running", "between"):
            yield f"part {each.name} of the platform is {each.state}: {each.reason}"
    if shortage := parts.autoscaler.shortage:
        shared = "tenants share what it has, and none is added but for services that have none"
        yield f"the host is short of {shortage}: {shared}"
    for name in (*parts.store.corrupt, *parts.tools.book.corrupt):
        yield f"file {name} cannot be read"
    for name, why in sorted(parts.documents.corrupt.items()):
        yield f"revision document {name} is not used: {why}"
    for name in parts.tools.inventory.strangers():
        yield f"container {name} has this stack's labels and is not of its making: not served, left alone"
    for name in parts.tools.inventory.waiting():
        yield f"container {name} is from before the book was lost: it waits for the next update"
    for key in parts.tools.base.services:
        yield f"service {key} is as the gateway had it before the volume was lost: it waits for the next update"


def _describe_traffic(rollout: Commitment, now: float) -> tuple[tuple[TrafficShare, ...], ShiftStatus | None]:
    if not rollout.before:
        return rollout.traffic, None
    left = math.ceil(remaining_shift_s(rollout, now))
    return traffic_in_force(rollout, now), ShiftStatus(rollout.traffic, left, rollout.stalled)


def _describe_stretch(stretch: Stretch | None) -> ScheduleStatus | None:
    if stretch is None:
        return None
    return ScheduleStatus(stretch.instances, stretch.since_unix_s or 0, stretch.until_unix_s or 0, stretch.following)


def _held(rollouts: Iterable[Commitment], now: float) -> dict[str, int]:
    return {
        service_key(each.tenant, name): math.ceil(remaining_hold_s(each, now))
        for each in rollouts
        for name in held_counts(each, now)
    }


def _describe_revision(
    parts: Parts, key: str, revision: Revision | None, instances: list[Instance], desired: int
) -> RevisionStatus:
    health = parts.prober.health()
    tenant, _, name = key.partition("/")
    failure = parts.tools.failures.last().get(key)
    ready = [each for each in instances if is_ready(each, health) and not failure_of(each, health)]
    service = revision.service if revision else (instances[0].service if instances else "")
    problem = _problem(instances, health) if len(ready) < desired else ""
    followed = parts.autoscaler.followed.get(key)
    most = followed.subject.span.most if followed else None
    return RevisionStatus(
        tenant=tenant,
        service=service,
        revision=name,
        desired=desired,
        ready=len(ready),
        addresses=tuple(sorted(f"{each.address}:{revision.spec.port}" for each in ready)) if revision else (),
        restarts=failure.total if failure else 0,
        oom_kills=failure.oom_kills if failure else 0,
        most=-1 if most is None else most,
        reason=(failure.reason if failure else "") or problem or ("" if revision else "it has no document"),
        logs=failure.logs if failure else (),
    )


def _problem(instances: list[Instance], health: Mapping[str, Health]) -> str:
    seen = [health.get(container.id, UNKNOWN) for each in instances for container in each.containers]
    return next((each.failed or each.problem for each in seen if each.failed or each.problem), "")
