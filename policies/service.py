"""Service resources as they register: which of them manifests make, and the manifest that any other amounts to.

One that is declared by hand can make no instance that is less confined than ours, as documents have no word for that.
All else that rules ask of a manifest is asked of it too, by the same rules: it is read back into one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from policies.property import Properties
from runyard import contracts
from runyard.contracts import ContainerDocument, PathRoute, RevisionDocument, RolloutRequest, RouteRequest, Variable
from runyard.errors import ContractError
from runyard.manifest.model import (
    Container,
    ContainerPort,
    EnvVar,
    KeyReference,
    Location,
    PersistentVolume,
    RequestLimits,
    RevisionTemplate,
    Scaling,
    Service,
    TrafficTarget,
    Volume,
)
from runyard.plan import RevisionPlan, ServicePlan

# A resource stands in no file.
NOWHERE = Location("", 0, 0)
# Where every instance may write, which is no storage of a service's own.
_TMP = "/tmp"  # noqa: S108 - inside the container
# What a revision is called follows from the rest, and from secrets that a pack does not hash again.
_NAMES = ("digest", "identity", "name")


def parse_service(properties: Properties, stack: str) -> ServicePlan:
    """Parse a resource's inputs; ContractError where they are not of the form, or not all of one of the stack's."""
    document = contracts.decode(RevisionDocument, str(properties["document"]))
    rollout = contracts.decode(RolloutRequest, str(properties["rollout"]))
    route = contracts.decode(RouteRequest, str(properties["route"]))
    whose = (str(properties["stack"]), str(properties["tenant"]), str(properties["service"]))
    for message, said in (
        ("stack", (stack, *whose[1:])),
        ("document", (document.stack, document.tenant, document.service)),
        ("rollout", (whose[0], rollout.tenant, rollout.service)),
        ("route", (whose[0], route.tenant, route.service)),
    ):
        if said != whose:
            raise ContractError(f"{message}: must be of service {'/'.join(whose)}, got {'/'.join(said)}")
    return ServicePlan(
        tenant=whose[1],
        name=whose[2],
        revision=RevisionPlan(document),
        route=route,
        rollout=rollout,
        facts={},
        location=NOWHERE,
    )


def is_same(one: ServicePlan, other: ServicePlan) -> bool:
    """Tell whether two services are the same to every rule: their revisions' names and secrets' digests may differ."""
    return _asked_of(one) == _asked_of(other) and (
        one.revision.document == other.revision.document or _content_of(one) == _content_of(other)
    )


def service_of(plan: ServicePlan) -> Service:
    """Give the manifest that a planned service amounts to."""
    document, rollout, route = plan.revision.document, plan.rollout, plan.route
    first, *others = document.containers
    port = ContainerPort(document.port, document.protocol)
    return Service(
        name=plan.name,
        tenant=plan.tenant,
        location=plan.location,
        template=RevisionTemplate(
            containers=(_container(first, port), *(_container(each) for each in others)),
            init_containers=tuple(_container(each) for each in document.init_containers),
            volumes=tuple(_temporary(document)),
            labels=document.labels,
            # As somebody says how far a revision may grow who makes its document.
            annotations={"autoscaling.knative.dev/maxScale": str(document.max_instances)},
            container_concurrency=document.concurrency,
            timeout_s=route.timeout_s,
            scaling=Scaling(
                document.min_instances, document.max_instances, retention_period_s=document.scaling.retention_s
            ),
            progress_deadline_s=rollout.deadline_s,
        ),
        traffic=tuple(
            TrafficTarget(share.percent, None if share.revision == document.name else share.revision, share.tag)
            for share in rollout.traffic
        ),
        min_scale=rollout.min_instances or None,
        max_scale=rollout.max_instances or None,
        manual_instance_count=rollout.manual_instances,
        schedule=rollout.schedule,
        ingress=route.ingress,
        uses=document.callees,
        persistent_volumes=tuple(
            PersistentVolume(each.name, each.size_bytes, "") for each in document.volumes if each.kind == "persistent"
        ),
        max_requests_per_second=route.limits.requests_per_second or None,
        # Hosts that are the service's alone are parts too: of the root and all below it.
        routes=(*(PathRoute(host, "/") for host in route.hosts), *route.paths),
        request_limits=RequestLimits(concurrent_requests=route.limits.concurrent_requests or None),
        fallback=route.fallback,
        retries=route.retries,
        breaker=route.breaker,
    )


def _asked_of(plan: ServicePlan) -> tuple[object, ...]:
    """Give what a service asks for beside its document; the latest revision goes without its name."""
    rollout, latest = plan.rollout, plan.revision.name
    traffic = tuple(
        ("" if share.revision == latest else share.revision, share.percent, share.tag) for share in rollout.traffic
    )
    counts = (rollout.min_instances, rollout.max_instances, rollout.manual_instances, rollout.schedule)
    return traffic, counts, plan.route


def _content_of(plan: ServicePlan) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(contracts.encode(plan.revision.document), object_hook=_without_digest)
    return {key: value for key, value in document.items() if key not in _NAMES}


def _container(document: ContainerDocument, port: ContainerPort | None = None) -> Container:
    user = document.user.partition(":")[0]
    return Container(
        name=document.name,
        image=document.image,
        command=document.entrypoint,
        args=document.command,
        env=tuple(_variable(each) for each in document.environment),
        port=port,
        cpu_millis=document.cpu_millis,
        memory_bytes=document.memory_bytes,
        startup_probe=document.startup_probe,
        liveness_probe=document.liveness_probe,
        readiness_probe=document.readiness_probe,
        # A user by name is told from root by what it is called alone.
        run_as_user=int(user) if user.isdecimal() else 0 if user == "root" else None,
    )


def _temporary(document: RevisionDocument) -> Iterator[Volume]:
    """List the memory that an instance has as files."""
    for container in document.containers:
        for mount in container.memory_mounts:
            if mount.path != _TMP:
                yield Volume(mount.path, "emptyDir", size_limit_bytes=mount.size_bytes)
    for volume in document.volumes:
        if volume.kind == "shared":
            yield Volume(volume.name, "emptyDir", size_limit_bytes=volume.size_bytes)


def _variable(variable: Variable) -> EnvVar:
    if variable.secret is None:
        return EnvVar(variable.name, variable.value)
    return EnvVar(variable.name, reference=KeyReference("secret", variable.secret.name, variable.secret.key))


def _without_digest(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out the digest of a secret's value."""
    return {key: value for key, value in found.items() if key != "digest"} if {"name", "key"} <= found.keys() else found
