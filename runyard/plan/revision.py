"""Revisions of a plan: a Service's template turned into a document, named by a hash of what shapes its instances."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from runyard import contracts, names
from runyard.contracts import ContainerDocument, MemoryMount, RevisionDocument, SecretValue, Variable
from runyard.manifest.model import Container, EnvVar, KeyReference, Service
from runyard.plan.model import NetworkPlan, RevisionPlan

# Raised when documents are carried out in another way than before, which no field of theirs tells: a revision made
# before would be something else under the same name.
DOCUMENT_FORMAT = 1
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
    shape = _shape(service, context)
    # Of the stack's name only what is made of it shapes an instance: its network.
    digest = names.digest(f"{DOCUMENT_FORMAT} {contracts.encode_differing(dataclasses.replace(shape, stack=''))}")
    name = names.revision_name(service.name, service.template.name, digest)
    identity = names.revision_identity(name, digest, chosen=bool(service.template.name))
    return RevisionPlan(dataclasses.replace(shape, name=name, identity=identity, digest=digest))


def _shape(service: Service, context: RevisionContext) -> RevisionDocument:
    """Make the document without what its own hash names."""
    template, port = service.template, service.template.ingress_container.port
    assert port is not None  # noqa: S101 - what makes it the ingress container
    return RevisionDocument(
        stack=context.stack,
        tenant=service.tenant,
        service=service.name,
        name="",
        identity="",
        digest="",
        network=context.network.name,
        # Only who calls others is shaped by where they are called.
        gateway_address=context.gateway_address if service.uses else "",
        containers=tuple(_container(service, each, context) for each in _ordered(service)),
        labels=dict(sorted(template.labels.items())),
        callees=tuple(sorted(service.uses)),
        port=port.number,
        protocol=port.protocol,
        concurrency=template.container_concurrency,
        # The service's own counts are the rollout's: they take effect without a new revision.
        min_instances=template.scaling.min_scale,
        max_instances=template.scaling.max_scale,
        progress_deadline_s=template.progress_deadline_s,
    )


def _ordered(service: Service) -> list[Container]:
    """List the ingress container first (the others join its network namespace), then the rest as written."""
    return sorted(service.template.containers, key=lambda container: container.port is None)


def _container(service: Service, container: Container, context: RevisionContext) -> ContainerDocument:
    return ContainerDocument(
        name=container.name,
        image=container.image,
        # Docker's entrypoint and command are Kubernetes' command and args.
        entrypoint=container.command,
        command=container.args,
        environment=_environment(service, container, context),
        working_dir=container.working_dir,
        user=_user(container),
        cpu_millis=container.cpu_millis,
        memory_bytes=container.memory_bytes,
        memory_mounts=_memory_mounts(service, container),
        startup_probe=container.startup_probe,
        liveness_probe=container.liveness_probe,
        readiness_probe=container.readiness_probe,
        depends_on=tuple(service.template.container_dependencies.get(container.name, ())),
    )


def _environment(service: Service, container: Container, context: RevisionContext) -> tuple[Variable, ...]:
    """List the variables by name, the last of a name winning, with PORT and Knative's own.

    No program can tell in which order they were written, so another order is no other revision. K_REVISION is not among
    them: it is the revision's name, which is a hash of the rest. Neither is one of an optional secret that the stack
    does not have, as in Kubernetes: the program finds it unset, and what else has its name stays.
    """
    variables = {
        variable.name: _variable(variable, context) for variable in container.env if not _is_absent(variable, context)
    }
    if container.port is not None:
        variables["PORT"] = Variable("PORT", str(container.port.number))
    for name in ("K_SERVICE", "K_CONFIGURATION"):
        variables[name] = Variable(name, service.name)
    return tuple(variables[name] for name in sorted(variables))


def _is_absent(variable: EnvVar, context: RevisionContext) -> bool:
    reference = variable.reference
    return reference is not None and reference.optional and not _secret(reference, context).digest


def _variable(variable: EnvVar, context: RevisionContext) -> Variable:
    if variable.reference is None:
        return Variable(variable.name, variable.value)
    return Variable(variable.name, secret=_secret(variable.reference, context))


def _secret(reference: KeyReference, context: RevisionContext) -> SecretValue:
    digest = context.secret_digests.get(f"{reference.name}/{reference.key}", "")
    return SecretValue(reference.name, reference.key, digest)


def _user(container: Container) -> str:
    if container.run_as_user is None:
        return ""
    group = "" if container.run_as_group is None else f":{container.run_as_group}"
    return f"{container.run_as_user}{group}"


def _memory_mounts(service: Service, container: Container) -> tuple[MemoryMount, ...]:
    """List the writable paths: /tmp always, and the revision's emptyDir volumes."""
    found = {"/tmp": TMP_SIZE_BYTES}  # noqa: S108 - a path inside the instance
    sizes = {volume.name: volume.size_limit_bytes for volume in service.template.volumes if volume.kind == "emptyDir"}
    for mount in container.volume_mounts:
        if mount.name in sizes:
            found[mount.path] = sizes[mount.name] or container.memory_bytes
    return tuple(MemoryMount(path, size) for path, size in sorted(found.items()))
