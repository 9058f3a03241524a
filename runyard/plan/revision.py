"""Revisions of a plan: a Service's template turned into a document, named by a hash of what shapes its instances."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from runyard import contracts, names
from runyard.contracts import ContainerDocument, RevisionDocument, ScalingDocument, Variable
from runyard.manifest.model import Container, Scaling, Service
from runyard.plan.model import NetworkPlan, RevisionPlan
from runyard.plan.secret import has_value, secret_value, variables_of
from runyard.plan.volumes import plan_mounts, plan_volumes

# Raised when documents are carried out in another way than before, which no field of theirs tells: a revision made
# before would be something else under the same name.
DOCUMENT_FORMAT = 1
# What a container with a limit of so much CPU may take while it starts, in thousandths of a core; as on Cloud Run,
# where one with more has no boost (cloud.google.com/run/docs/configuring/services/cpu#startup-boost).
_BOOSTS = {1000: 2000, 2000: 4000, 6000: 8000}


@dataclass(frozen=True, slots=True)
class RevisionContext:
    """What a revision needs from around its Service: stack, its tenant's network, the gateway's inner address.

    With `caller_identity` they are told of themselves there, and of the CA that they may trust.

    `secret_digests` maps `name/key` of a secret to a slow hash of its value, so that a new value is a new
    revision although no value is ever part of a plan.
    """

    stack: str
    network: NetworkPlan
    gateway_address: str
    secret_digests: Mapping[str, str]
    caller_identity: bool = False


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
        gateway_address=context.gateway_address if service.uses or context.caller_identity else "",
        containers=tuple(_container(service, each, context) for each in _ordered(service)),
        init_containers=tuple(_container(service, each, context) for each in template.init_containers),
        volumes=plan_volumes(service),
        labels=dict(sorted(template.labels.items())),
        annotations=dict(sorted(template.free_annotations.items())),
        callees=tuple(sorted(service.uses)),
        metadata=context.caller_identity,
        port=port.number,
        protocol=port.protocol,
        concurrency=template.container_concurrency,
        # The service's own counts are the rollout's: they take effect without a new revision.
        min_instances=template.scaling.min_scale,
        max_instances=template.scaling.max_scale,
        scaling=_scaling(template.scaling),
        progress_deadline_s=template.progress_deadline_s,
        runtime=template.runtime_class,
    )


def _scaling(scaling: Scaling) -> ScalingDocument:
    return ScalingDocument(
        signals=scaling.signals,
        window_s=scaling.window_s,
        panic_window_percent=scaling.panic_window_percentage,
        panic_threshold_percent=scaling.panic_threshold_percentage,
        scale_down_delay_s=scaling.scale_down_delay_s,
        retention_s=scaling.retention_period_s,
        initial_instances=scaling.initial_scale,
        activation_instances=scaling.activation_scale,
        aggregation=scaling.aggregation,
        idle=scaling.idle,
    )


def _ordered(service: Service) -> list[Container]:
    """List the ingress container first (the others join its network namespace), then the rest as written."""
    return sorted(service.template.containers, key=lambda container: container.port is None)


def _container(service: Service, container: Container, context: RevisionContext) -> ContainerDocument:
    mounts = plan_mounts(service, container, context.secret_digests, trusting=context.caller_identity)
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
        # Requests are the limits where nothing is said (Kubernetes).
        cpu_weight_millis=container.cpu_millis
        if container.cpu_request_millis is None
        else container.cpu_request_millis,
        memory_bytes=container.memory_bytes,
        memory_mounts=mounts.memory,
        file_mounts=mounts.files,
        volume_mounts=mounts.volumes,
        startup_probe=container.startup_probe,
        liveness_probe=container.liveness_probe,
        readiness_probe=container.readiness_probe,
        writable_root=container.writable_root,
        startup_cpu_millis=_boosted(container.cpu_millis) if service.template.startup_cpu_boost else 0,
        depends_on=tuple(service.template.container_dependencies.get(container.name, ())),
    )


def _environment(service: Service, container: Container, context: RevisionContext) -> tuple[Variable, ...]:
    """List the variables by name, the last of a name winning, with PORT and Knative's own.

    No program can tell in which order they were written, so another order is no other revision. An optional one without
    a value is none. K_REVISION is not among them: it is the revision's name, which is a hash of the rest.
    """
    digests = context.secret_digests
    # What the manifest says of these names counts more.
    variables = {name: Variable(name, value) for name, value in _told(context).items()}
    for source in container.env_from:
        found = variables_of(source, digests)
        variables |= {name: Variable(name, secret=value) for name, value in found.items()}
    for variable in container.env:
        reference, name = variable.reference, variable.name
        if reference is None:
            variables[name] = Variable(name, variable.value)
        elif has_value(reference.source, reference.name, reference.key, digests) or not reference.optional:
            variables[name] = Variable(
                name, secret=secret_value(reference.source, reference.name, reference.key, digests)
            )
    if container.port is not None:
        variables["PORT"] = Variable("PORT", str(container.port.number))
    for name in ("K_SERVICE", "K_CONFIGURATION"):
        variables[name] = Variable(name, service.name)
    return tuple(variables[name] for name in sorted(variables))


def _told(context: RevisionContext) -> dict[str, str]:
    """Give what tells programs where they are told of themselves, and which CA `.internal` is answered under.

    Google's client libraries ask for metadata where GCE_METADATA_HOST says, and look first whether anything is at
    GCE_METADATA_IP. SSL_CERT_FILE is not set: it would take the CAs of the whole world away.
    """
    if not context.caller_identity:
        return {}
    return {
        "GCE_METADATA_HOST": names.internal_host(names.METADATA),
        "GCE_METADATA_IP": context.gateway_address,
        "RUNYARD_CA_FILE": f"{names.AUTHORITY_MOUNT}/{names.AUTHORITY_NAME}",
    }


def _boosted(cpu_millis: int) -> int:
    return next((boosted for most, boosted in _BOOSTS.items() if cpu_millis <= most), 0)


def _user(container: Container) -> str:
    if container.run_as_user is None:
        return ""
    group = "" if container.run_as_group is None else f":{container.run_as_group}"
    return f"{container.run_as_user}{group}"
