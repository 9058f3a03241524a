"""Revisions of a plan: a Service's template turned into never-started containers, named by a hash of their shape."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runyard import contracts, names
from runyard.contracts import RevisionSpec, TemplateSpec
from runyard.manifest.model import Container, EnvVar, Service
from runyard.plan.model import NetworkPlan, RevisionPlan, TemplatePlan

# CIS Docker Benchmark 5.29 asks for a limit; 256 is the platform's default for any service (design: faults 7.1).
PIDS_LIMIT = 256
# What components/revision.py gives every template alike (hardening, log rotation, open files) shapes it too. A change
# there must raise this number, or it would edit containers under an unchanged name; tests/preview compares the two.
TEMPLATE_FORMAT = 1
# Writable space that every instance has at /tmp although its root is read-only (Knative runtime contract).
TMP_SIZE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RevisionContext:
    """What a revision needs from around its Service: stack, its tenant's network, the gateway's inner address.

    `secret_digests` maps `name/key` of a secret to a slow hash of its value, so that a new value is a new
    revision although no value is ever part of a plan.
    """

    stack: str
    network: NetworkPlan
    gateway_address: str
    secret_digests: Mapping[str, str]


def plan_revision(service: Service, context: RevisionContext) -> RevisionPlan:
    """Plan the revision that a Service's template asks for, its name ending in the hash of all that shapes it."""
    shapes = [_shape(service, container, context) for container in _ordered(service)]
    digest = names.digest(
        json.dumps([TEMPLATE_FORMAT, *map(_canonical, shapes)], sort_keys=True) + _secrets(service, context)
    )
    name = names.revision_name(service.name, service.template.name, digest)
    identity = names.revision_identity(name, digest, chosen=bool(service.template.name))
    return RevisionPlan(
        name=name,
        tenant=service.tenant,
        service=service.name,
        digest=digest,
        templates=tuple(_named(shape, service, name, identity, context.stack) for shape in shapes),
        identity=identity,
    )


def _ordered(service: Service) -> list[Container]:
    """List the ingress container first (the others join its network namespace), then the rest as written."""
    return sorted(service.template.containers, key=lambda container: container.port is None)


def _shape(service: Service, container: Container, context: RevisionContext) -> TemplatePlan:
    """Make the template without what depends on the revision's name, which is hashed from this."""
    # Docker's entrypoint and command are Kubernetes' command and args.
    return TemplatePlan(
        name="",
        image=container.image,
        entrypoint=container.command,
        command=container.args,
        environment=_environment(service, container),
        working_dir=container.working_dir,
        user=_user(container),
        cpu_millis=container.cpu_millis,
        memory_bytes=container.memory_bytes,
        tmpfs=_tmpfs(service, container),
        hosts={names.internal_host(callee): context.gateway_address for callee in sorted(service.uses)},
        network=context.network.name,
        labels=dict(service.template.labels),
        spec=_spec(service, container),
    )


def _spec(service: Service, container: Container) -> TemplateSpec:
    template = service.template
    revision = None
    if container.port is not None:
        revision = RevisionSpec(
            service=service.name,
            port=container.port.number,
            containers=tuple(each.name for each in _ordered(service)),
            protocol=container.port.protocol,
            concurrency=template.container_concurrency,
            # The service's own counts are the rollout's: they take effect without a new revision.
            min_instances=template.scaling.min_scale,
            max_instances=template.scaling.max_scale,
            progress_deadline_s=template.progress_deadline_s,
        )
    return TemplateSpec(
        container=container.name,
        pids_limit=PIDS_LIMIT,
        memory_bytes=container.memory_bytes,
        startup_probe=container.startup_probe,
        liveness_probe=container.liveness_probe,
        readiness_probe=container.readiness_probe,
        depends_on=tuple(template.container_dependencies.get(container.name, ())),
        revision=revision,
    )


def _environment(service: Service, container: Container) -> tuple[EnvVar, ...]:
    """List the variables by name, the last of a name winning, with PORT and Knative's own.

    No program can tell in which order they were written, so another order is no other revision.
    """
    variables = {variable.name: variable for variable in container.env}
    if container.port is not None:
        variables["PORT"] = EnvVar("PORT", str(container.port.number))
    for name in ("K_SERVICE", "K_CONFIGURATION"):
        variables[name] = EnvVar(name, service.name)
    return tuple(variables[name] for name in sorted(variables))


def _user(container: Container) -> str:
    if container.run_as_user is None:
        return ""
    group = "" if container.run_as_group is None else f":{container.run_as_group}"
    return f"{container.run_as_user}{group}"


def _tmpfs(service: Service, container: Container) -> dict[str, str]:
    """Map writable paths to mount options: /tmp always, and the revision's emptyDir volumes."""
    paths = {"/tmp": _tmpfs_options(TMP_SIZE_BYTES)}  # noqa: S108 - a path inside the instance
    sizes = {volume.name: volume.size_limit_bytes for volume in service.template.volumes if volume.kind == "emptyDir"}
    for mount in container.volume_mounts:
        if mount.name in sizes:
            paths[mount.path] = _tmpfs_options(sizes[mount.name] or container.memory_bytes)
    return paths


def _tmpfs_options(size_bytes: int) -> str:
    # Mode 1777 as /tmp has everywhere, so that any user of the image can write.
    return f"rw,nosuid,nodev,mode=1777,size={size_bytes}"


def _named(shape: TemplatePlan, service: Service, revision: str, identity: str, stack: str) -> TemplatePlan:
    labels = dict(shape.labels) | {
        names.STACK: stack,
        names.TENANT: service.tenant,
        names.SERVICE: service.name,
        names.REVISION: revision,
        names.ROLE: names.ROLE_TEMPLATE,
        names.CONTAINER: shape.spec.container,
        names.SPEC: contracts.encode(shape.spec),
    }
    return dataclasses.replace(
        shape,
        name=names.template_container(stack, service.tenant, identity, shape.spec.container),
        environment=(*shape.environment, EnvVar("K_REVISION", revision)),
        labels=labels,
    )


def _secrets(service: Service, context: RevisionContext) -> str:
    references = {
        f"{variable.reference.name}/{variable.reference.key}"
        for container in service.template.containers
        for variable in container.env
        if variable.reference is not None
    }
    return "".join(f"{each}={context.secret_digests.get(each, '')};" for each in sorted(references))


def _canonical(shape: TemplatePlan) -> dict[str, Any]:
    return dataclasses.asdict(shape)
