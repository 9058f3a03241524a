"""Snapshot: what the gateway must know, from what is desired and what is ready. Pure and ordered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from runyard.contracts import (
    GatewayDelta,
    GatewayEndpoints,
    GatewayPath,
    GatewayRemovals,
    GatewayService,
    GatewaySnapshot,
    Pause,
    RouteRequest,
)
from runyard.names import service_key
from services.orchestrator.model.instance import Health, Instance, failure_of, is_ready
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.startup import start_allowed_s
from services.orchestrator.traffic.commitment import Commitment, traffic_in_force

Entry = TypeVar("Entry")


def describe_snapshot(
    routes: Mapping[str, RouteRequest],
    rollouts: Mapping[str, Commitment],
    endpoints: Mapping[str, GatewayEndpoints],
    callers: Mapping[str, str],
    uses: Mapping[str, tuple[str, ...]],
    now_unix_s: float,
) -> GatewaySnapshot:
    """Describe everything the gateway needs at this time; the generation is set when it is sent."""
    services = {}
    # A service whose first revision is starting has neither route nor rollout, and may call others already.
    for key in sorted({*routes, *rollouts, *uses}):
        tenant, _, service = key.partition("/")
        route, rollout = routes.get(key, RouteRequest(tenant, service, ())), rollouts.get(key)
        services[key] = GatewayService(
            traffic=traffic_in_force(rollout, now_unix_s) if rollout else (),
            # Services are named within their tenant, as the caller's own `http://<name>.internal` is.
            uses=uses.get(key, ()),
            ingress=route.ingress,
            timeout_s=route.timeout_s,
            session_affinity=route.session_affinity,
            handling=route.handling,
            stopped=rollout is not None and rollout.manual_instances == 0,
            limits=route.limits,
            fallback=route.fallback,
            retries=route.retries,
            breaker=route.breaker,
        )
    hosts = {host: key for key, route in sorted(routes.items()) for host in route.hosts}
    return GatewaySnapshot(
        0,
        services,
        dict(sorted(hosts.items())),
        endpoints,
        dict(sorted(callers.items())),
        _describe_paths(routes),
    )


def with_pauses(snapshot: GatewaySnapshot, pauses: Mapping[str, Pause]) -> GatewaySnapshot:
    """Give a snapshot with the services paused that are, by `tenant/service`."""
    services = dict(snapshot.services)
    for key in pauses.keys() & services.keys():
        services[key] = replace(services[key], paused_until_unix_s=pauses[key].until_unix_s)
    return replace(snapshot, services=services)


def _describe_paths(routes: Mapping[str, RouteRequest]) -> dict[str, tuple[GatewayPath, ...]]:
    """Gather the parts of each host, ordered, from the services that answer them."""
    parts: dict[str, list[GatewayPath]] = {}
    for key, route in routes.items():
        for part in route.paths:
            parts.setdefault(part.host, []).append(GatewayPath(part.path, key, part.rewrite))
    return {host: tuple(sorted(parts[host], key=lambda part: part.path)) for host in sorted(parts)}


def describe_delta(before: GatewaySnapshot, after: GatewaySnapshot) -> GatewayDelta:
    """Describe what changed from `before`, which is in force under its generation, to `after`."""
    return GatewayDelta(
        base=before.generation,
        generation=after.generation,
        services=_changed(before.services, after.services),
        hosts=_changed(before.hosts, after.hosts),
        endpoints=_changed(before.endpoints, after.endpoints),
        callers=_changed(before.callers, after.callers),
        paths=_changed(before.paths, after.paths),
        removed=GatewayRemovals(
            services=_gone(before.services, after.services),
            hosts=_gone(before.hosts, after.hosts),
            endpoints=_gone(before.endpoints, after.endpoints),
            callers=_gone(before.callers, after.callers),
            paths=_gone(before.paths, after.paths),
        ),
    )


def _changed(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> dict[str, Entry]:
    return {key: entry for key, entry in after.items() if before.get(key) != entry}


def _gone(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(sorted(before.keys() - after.keys()))


def describe_endpoints(
    revisions: Mapping[str, Revision],
    instances: Iterable[Instance],
    health: Mapping[str, Health],
    withdrawn: Collection[str],
    sleepers: Collection[str] = (),
) -> dict[str, GatewayEndpoints]:
    """Give the ready addresses of every revision, those with none included; `withdrawn` instances are left out.

    A request for one of the `sleepers` waits as long as a start may take.
    """
    ready: dict[str, list[str]] = {key: [] for key in revisions}
    for instance in instances:
        usable = instance.id not in withdrawn and not failure_of(instance, health) and is_ready(instance, health)
        if usable and instance.key in ready:
            ready[instance.key].append(f"{instance.address}:{revisions[instance.key].spec.port}")
    return {
        key: GatewayEndpoints(
            tuple(sorted(ready[key])),
            revision.spec.protocol,
            revision.spec.concurrency,
            start_allowed_s(revision) if key in sleepers else 0,
        )
        for key, revision in sorted(revisions.items())
    }


def describe_uses(revisions: Mapping[str, Revision], live: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Map each service that calls others to those which its `live` revisions, those with an instance, may call.

    It is the revision that may: a rollout that fails leaves the ones before it what they could call.
    """
    found: dict[str, set[str]] = {}
    for key in live:
        if key in revisions and revisions[key].uses:
            revision = revisions[key]
            found.setdefault(service_key(revision.tenant, revision.service), set()).update(revision.uses)
    return {key: tuple(sorted(found[key])) for key in sorted(found)}


def describe_callers(instances: Iterable[Instance], reserved: Mapping[str, str]) -> dict[str, str]:
    """Map the address of each instance, and of those about to start, to its service."""
    found = {each.address: service_key(each.tenant, each.service) for each in instances if each.address}
    return {**found, **reserved}
