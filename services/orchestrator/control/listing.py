"""Listings: services, revisions, instances, endpoints and decisions, each as one message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from runyard import names
from runyard.contracts import (
    ContainerOwner,
    ContainerStatus,
    DecisionList,
    EndpointList,
    EndpointStatus,
    InstanceList,
    InstanceState,
    InstanceStatus,
    OrchestratorStatus,
    RevisionList,
    ServiceList,
)
from runyard.names import service_key
from services.orchestrator.control.status import Scene
from services.orchestrator.model.instance import UNKNOWN, Health, Instance, failure_of, is_ready
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.joined import Parts


def list_services(parts: Parts, status: OrchestratorStatus) -> ServiceList:
    """List the services of a status, with the counts that were set by hand and are not over."""
    overrides = parts.interventions.overrides(parts.timing.wall())
    return ServiceList(status.services, tuple(each for _, each in sorted(overrides.items())))


def list_revisions(status: OrchestratorStatus) -> RevisionList:
    """List the revisions of a status."""
    return RevisionList(status.revisions)


def list_instances(
    parts: Parts, scene: Scene, withdrawn: frozenset[str], runs: tuple[InstanceStatus, ...] = ()
) -> InstanceList:
    """List the instances by tenant, revision and age, then runs; `withdrawn` are those that are being removed."""
    health, restarting = parts.prober.health(), parts.interventions.restarting
    ordered = sorted(scene.instances, key=lambda each: (each.key, int(each.id, 16)))
    found = tuple(
        replace(
            _describe(each, health, withdrawn, restarting), containers=_containers(each, scene.revisions.get(each.key))
        )
        for each in ordered
    )
    return InstanceList(found + runs)


def list_owners(parts: Parts) -> Mapping[str, ContainerOwner]:
    """List whose the engine's containers are, by their ids: of every instance and run that is made, and the last gone.

    So whoever reads what containers write learns of one that ended as soon as it began.
    """
    book, runs = parts.tools.book, parts.run_book
    entries = chain(book.departed, runs.departed, book.entries.values(), (each.made for each in runs.entries.values()))
    return {
        each.id: ContainerOwner(entry.tenant, entry.service, entry.revision, entry.instance, each.container)
        for entry in entries
        for each in entry.containers
        if each.id and each.container not in names.HELPERS
    }


def list_endpoints(status: OrchestratorStatus, scene: Scene) -> EndpointList:
    """List where the revisions of a status are reached; a revision without instances has none, and is listed."""
    found = []
    for each in status.revisions:
        revision = scene.revisions.get(service_key(each.tenant, each.revision))
        if revision is not None:
            protocol, places = revision.spec.protocol, each.addresses
            found.append(EndpointStatus(each.tenant, each.service, each.revision, protocol, len(places), places))
    return EndpointList(tuple(found))


def list_decisions(parts: Parts) -> DecisionList:
    """List the last decisions on counts, in the order in which they were made."""
    return DecisionList(parts.decisions.decisions)


def _containers(instance: Instance, revision: Revision | None) -> tuple[ContainerStatus, ...]:
    """Describe the containers of an instance's document that were started and have not ended, in start order."""
    found = []
    # The first in start order that serves is where the instance's requests come.
    taker = next((each.name for each in instance.containers if each.role == "app"), "")
    for each in instance.containers:
        if each.role == "holder" or each.name in names.HELPERS or each.state not in ("running", "paused"):
            continue
        part = revision.part(each.name) if revision else None
        cpu, memory = (part.document.cpu_millis, part.document.memory_bytes) if part else (0, 0)
        found.append(ContainerStatus(each.id, each.name, each.started_ms, cpu, memory, each.name == taker))
    return tuple(found)


def _describe(
    instance: Instance, health: Mapping[str, Health], withdrawn: frozenset[str], restarting: frozenset[str]
) -> InstanceStatus:
    failure = failure_of(instance, health)
    seen = [health.get(each.id, UNKNOWN) for each in instance.containers]
    state: InstanceState = "starting"
    if instance.id in withdrawn:
        state = "ending"
    elif failure:
        state = "failed"
    elif instance.frozen:
        state = "frozen"
    elif is_ready(instance, health):
        state = "ready"
    problem = next((each.problem for each in seen if each.problem), "") if state == "starting" else ""
    return InstanceStatus(
        tenant=instance.tenant,
        service=instance.service,
        revision=instance.revision,
        instance=instance.id,
        state=state,
        address=instance.address,
        reason=failure or problem,
        restarting=instance.id in restarting,
    )
