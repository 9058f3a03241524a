"""Service: raw data without errors to typed data, with every default filled in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from runyard.contracts.scaling import PRIORITY
from runyard.manifest.failures import BREAKER, RETRIES, parse_breaker, parse_retries
from runyard.manifest.model import (
    DEFAULT_PORT,
    ONE_CPU_MILLIS,
    TMP_BYTES,
    Breaker,
    Container,
    ContainerPort,
    EnvFrom,
    EnvVar,
    Fallback,
    FileSource,
    KeyReference,
    Location,
    Objective,
    PersistentVolume,
    Probe,
    ProbeKind,
    RequestLimits,
    Retries,
    RevisionTemplate,
    Service,
    TrafficTarget,
    Volume,
    VolumeItem,
    VolumeMount,
)
from runyard.manifest.objective import SLO, parse_objective
from runyard.manifest.persistence import ANNOTATION as PERSISTENT_VOLUMES
from runyard.manifest.persistence import parse_persistent_volumes
from runyard.manifest.raw import SERVICE_ANNOTATIONS, TEMPLATE_ANNOTATIONS, Raw, mapping_at
from runyard.manifest.routes import parse_routes
from runyard.manifest.rules import DEFAULT_TIMEOUT_S
from runyard.manifest.rules_annotations import CLOUD_RUN, KNATIVE, PREFIXES, RUNYARD
from runyard.manifest.rules_dependencies import ANNOTATION, parse_dependencies
from runyard.manifest.rules_handling import MAX_REQUEST_SIZE, MAX_RESPONSE_SIZE, REQUEST_BUFFERING
from runyard.manifest.rules_limits import SERVICE_PREFIX
from runyard.manifest.rules_resources import ingress_container, parse_limit
from runyard.manifest.rules_routes import ANNOTATION as ROUTES
from runyard.manifest.rules_schedule import ANNOTATION as SCHEDULE
from runyard.manifest.rules_volumes import TMP_SIZE
from runyard.manifest.scaling import build_scaling
from runyard.names import DEFAULT_TENANT
from runyard.scaling.schedule import parse_schedule
from runyard.units import parse_bytes, parse_cpu_millis, parse_duration_s

DEFAULT_CONCURRENCY = 80
DEFAULT_MAX_SCALE = 100
# Knative's own way to say `ingress: internal`, in its present and its former spelling.
_VISIBILITY_LABELS = ("networking.knative.dev/visibility", "serving.knative.dev/visibility")
_PROBE_KINDS: dict[str, ProbeKind] = {"httpGet": "http", "tcpSocket": "tcp", "grpc": "grpc", "exec": "exec"}


def build_service(service: Raw, location: Location) -> Service:
    """Build a Service from data that has passed the schema and every rule."""
    metadata, annotations = service["metadata"], mapping_at(service, *SERVICE_ANNOTATIONS)
    labels = metadata.get("labels", {})
    auth_off = annotations.get(CLOUD_RUN + "invoker-iam-disabled") == "true"
    audiences = annotations.get(CLOUD_RUN + "custom-audiences")
    uses = annotations.get(RUNYARD + "uses", "")
    queue_timeout = annotations.get(RUNYARD + "queue-timeout")
    return Service(
        name=metadata["name"],
        tenant=metadata.get("namespace", DEFAULT_TENANT),
        template=_template(service),
        location=location,
        labels=labels,
        annotations=annotations,
        traffic=_traffic(service["spec"].get("traffic")),
        min_scale=_count(annotations, CLOUD_RUN + "minScale"),
        max_scale=_count(annotations, CLOUD_RUN + "maxScale"),
        manual_instance_count=_manual_count(annotations),
        ingress=annotations.get(CLOUD_RUN + "ingress") or _visibility(labels),
        require_caller_auth=not auth_off and CLOUD_RUN + "invoker-iam-disabled" in annotations,
        custom_audiences=tuple(json.loads(audiences)) if audiences else (),
        rollout_duration_s=parse_duration_s(annotations.get(KNATIVE + "rollout-duration", "0s")),
        uses=tuple(dict.fromkeys(name.strip() for name in uses.split(",") if name.strip())),
        egress=annotations.get(RUNYARD + "egress", "all"),
        persistent_volumes=_persistent_volumes(annotations),
        cache=annotations.get(RUNYARD + "cache") == "true",
        priority=int(annotations.get(RUNYARD + "priority", PRIORITY)),
        schedule=parse_schedule(annotations[SCHEDULE]) if SCHEDULE in annotations else (),
        routes=parse_routes(annotations[ROUTES]) if ROUTES in annotations else (),
        max_request_bytes=_bytes(annotations, MAX_REQUEST_SIZE),
        max_response_bytes=_bytes(annotations, MAX_RESPONSE_SIZE),
        request_buffering=annotations.get(REQUEST_BUFFERING, "on") == "on",
        max_requests_per_second=_count(annotations, RUNYARD + "max-requests-per-second"),
        fallback=_fallback(annotations.get(RUNYARD + "fallback", "")),
        retries=parse_retries(annotations[RETRIES]) if RETRIES in annotations else Retries(),
        breaker=parse_breaker(annotations[BREAKER]) if BREAKER in annotations else Breaker(),
        objective=parse_objective(annotations[SLO]) if SLO in annotations else Objective(),
        request_limits=RequestLimits(
            client_requests_per_second=_count(annotations, RUNYARD + "client-requests-per-second"),
            client_burst=_count(annotations, RUNYARD + "client-burst"),
            client_header=annotations.get(RUNYARD + "client-header", ""),
            concurrent_requests=_count(annotations, RUNYARD + "max-concurrent-requests"),
            queue_size=_count(annotations, RUNYARD + "queue-size"),
            queue_timeout_s=parse_duration_s(queue_timeout) if queue_timeout else None,
        ),
    )


def _persistent_volumes(annotations: Raw) -> tuple[PersistentVolume, ...]:
    return parse_persistent_volumes(annotations[PERSISTENT_VOLUMES]) if PERSISTENT_VOLUMES in annotations else ()


def _bytes(annotations: Raw, name: str) -> int | None:
    return parse_bytes(annotations[name]) if name in annotations else None


def _fallback(text: str) -> Fallback:
    service = text.removeprefix(SERVICE_PREFIX)
    return Fallback(page=text) if service == text else Fallback(service=service)


def _visibility(labels: Raw) -> Any:
    return "internal" if any(labels.get(label) == "cluster-local" for label in _VISIBILITY_LABELS) else "all"


def _manual_count(annotations: Raw) -> int | None:
    manual = annotations.get(CLOUD_RUN + "scalingMode") == "manual"
    return _count(annotations, CLOUD_RUN + "manualInstanceCount") if manual else None


def _count(annotations: Raw, *names: str) -> int | None:
    return next((int(annotations[name]) for name in names if name in annotations), None)


def _traffic(shares: list[Raw] | None) -> tuple[TrafficTarget, ...]:
    if not shares:
        return (TrafficTarget(percent=100),)
    return tuple(
        TrafficTarget(int(share.get("percent", 0)), share.get("revisionName"), share.get("tag", "")) for share in shares
    )


def _template(service: Raw) -> RevisionTemplate:
    template = service["spec"]["template"]
    pod, annotations = template["spec"], mapping_at(service, *TEMPLATE_ANNOTATIONS)
    persistent = PERSISTENT_VOLUMES in mapping_at(service, *SERVICE_ANNOTATIONS)
    dependencies = annotations.get(ANNOTATION)
    metadata = template.get("metadata", {})
    fields = _fields(service)
    built = RevisionTemplate(
        containers=tuple(_container(each, pod, fields) for each in pod["containers"]),
        name=metadata.get("name"),
        labels=metadata.get("labels", {}),
        annotations=annotations,
        free_annotations={name: text for name, text in annotations.items() if not name.startswith(PREFIXES)},
        container_concurrency=_concurrency(pod),
        timeout_s=int(pod.get("timeoutSeconds", 0)) or DEFAULT_TIMEOUT_S,
        response_start_timeout_s=pod.get("responseStartTimeoutSeconds"),
        idle_timeout_s=int(pod.get("idleTimeoutSeconds", 0)),
        service_account=pod.get("serviceAccountName", ""),
        image_pull_secrets=tuple(secret["name"] for secret in pod.get("imagePullSecrets", ())),
        node_selector=pod.get("nodeSelector", {}),
        runtime_class=pod.get("runtimeClassName", ""),
        volumes=tuple(_volume(each) for each in pod.get("volumes", ())),
        init_containers=tuple(_container(each, pod, fields, initial=True) for each in pod.get("initContainers", ())),
        progress_deadline_s=parse_duration_s(annotations.get(KNATIVE + "progress-deadline", "600s")),
        cpu_throttling=annotations.get(CLOUD_RUN + "cpu-throttling", "true") == "true",
        startup_cpu_boost=annotations.get(CLOUD_RUN + "startup-cpu-boost") == "true",
        tmp_bytes=parse_bytes(annotations[TMP_SIZE]) if TMP_SIZE in annotations else TMP_BYTES,
        session_affinity=annotations.get(CLOUD_RUN + "sessionAffinity") == "true",
        container_dependencies=parse_dependencies(dependencies) if dependencies else {},
    )
    # A volume with one writer: what is not said is one instance.
    most = 1 if persistent else DEFAULT_MAX_SCALE
    scaling = build_scaling(annotations, most, built.container_concurrency, built.memory_bytes)
    return dataclasses.replace(built, scaling=scaling)


def _fields(service: Raw) -> dict[str, str]:
    """Give what a variable's fieldRef may name, by its path; what is not there is empty, as in Kubernetes."""
    metadata = mapping_at(service, "spec", "template", "metadata")
    found = {
        f"metadata.{kind}['{name}']": text
        for kind in ("labels", "annotations")
        for name, text in mapping_at(metadata, kind).items()
    }
    tenant = service["metadata"].get("namespace", DEFAULT_TENANT)
    account = service["spec"]["template"]["spec"].get("serviceAccountName", "")
    return {**found, "metadata.namespace": tenant, "spec.serviceAccountName": account}


def _concurrency(pod: Raw) -> int:
    """Give the concurrency; an instance with less than a CPU takes one request at a time (Cloud Run)."""
    if "containerConcurrency" in pod:
        return int(pod["containerConcurrency"])
    ingress = ingress_container(pod["containers"]) or {}
    cpu = parse_limit(ingress, "cpu")
    return 1 if cpu is not None and cpu < ONE_CPU_MILLIS else DEFAULT_CONCURRENCY


def _container(container: Raw, pod: Raw, fields: Mapping[str, str], *, initial: bool = False) -> Container:
    security = container.get("securityContext", {})
    # Containers may write to an emptyDir and to a persistent volume, which is none of the pod's.
    fixed = {volume["name"] for volume in pod.get("volumes", ()) if "emptyDir" not in volume}
    port = None if initial else _port(container, alone=len(pod["containers"]) == 1)
    return Container(
        name=container["name"],
        image=container["image"],
        command=tuple(container.get("command", ())),
        args=tuple(container.get("args", ())),
        working_dir=container.get("workingDir", ""),
        image_pull_policy=container.get("imagePullPolicy", ""),
        env=_env(container.get("env", ()), fields),
        env_from=tuple(_env_from(source) for source in container.get("envFrom", ())),
        port=port,
        cpu_millis=parse_limit(container, "cpu") or 0,
        memory_bytes=parse_limit(container, "memory") or 0,
        cpu_request_millis=_cpu_request(container),
        gpu=int(mapping_at(container, "resources", "limits").get("nvidia.com/gpu", 0)),
        startup_probe=_probe(container.get("startupProbe"), port),
        liveness_probe=_probe(container.get("livenessProbe"), port),
        readiness_probe=_probe(container.get("readinessProbe"), port),
        run_as_user=security.get("runAsUser"),
        run_as_group=security.get("runAsGroup"),
        run_as_non_root=security.get("runAsNonRoot", False),
        writable_root=not security.get("readOnlyRootFilesystem", True),
        volume_mounts=tuple(_mount(mount, fixed) for mount in container.get("volumeMounts", ())),
    )


def _cpu_request(container: Raw) -> int | None:
    request = mapping_at(container, "resources", "requests").get("cpu")
    return None if request is None else parse_cpu_millis(str(request))


def _port(container: Raw, *, alone: bool) -> ContainerPort | None:
    ports = container.get("ports", ())
    if not ports:
        return ContainerPort() if alone or "ports" in container else None
    return ContainerPort(int(ports[0].get("containerPort", DEFAULT_PORT)), ports[0].get("name") or "http1")


def _env(variables: Any, fields: Mapping[str, str]) -> tuple[EnvVar, ...]:
    last: dict[str, EnvVar] = {}
    for variable in variables:
        # Kubernetes keeps the last of several of one name, at the place of the last.
        last.pop(variable["name"], None)
        field = mapping_at(variable, "valueFrom", "fieldRef").get("fieldPath")
        value = variable.get("value", "") if field is None else fields.get(field, "")
        last[variable["name"]] = EnvVar(variable["name"], value, _reference(variable))
    return tuple(last.values())


def _reference(variable: Raw) -> KeyReference | None:
    source = variable.get("valueFrom")
    if not source or "fieldRef" in source:
        return None
    secret = source.get("secretKeyRef")
    named = secret or source["configMapKeyRef"]
    kind: Any = "secret" if secret else "configMap"
    return KeyReference(kind, named["name"], named["key"], named.get("optional", False))


def _env_from(source: Raw) -> EnvFrom:
    secret = source.get("secretRef")
    named = secret or source["configMapRef"]
    kind: Any = "secret" if secret else "configMap"
    return EnvFrom(kind, named["name"], source.get("prefix", ""), named.get("optional", False))


def _probe(probe: Raw | None, port: ContainerPort | None) -> Probe | None:
    if probe is None:
        return None
    handler = next((name for name in _PROBE_KINDS if name in probe), "tcpSocket")
    what = probe.get(handler, {})
    own_port = port.number if port is not None else DEFAULT_PORT
    return Probe(
        kind=_PROBE_KINDS[handler],
        port=None if handler == "exec" else int(what.get("port", own_port)),
        path=_http_path(what.get("path", "")) if handler == "httpGet" else "/",
        headers=tuple((header["name"], header["value"]) for header in what.get("httpHeaders", ())),
        service=what.get("service", ""),
        command=tuple(what.get("command", ())),
        initial_delay_s=int(probe.get("initialDelaySeconds", 0)),
        period_s=int(probe.get("periodSeconds", 10)),
        timeout_s=int(probe.get("timeoutSeconds", 1)),
        failure_threshold=int(probe.get("failureThreshold", 3)),
        success_threshold=int(probe.get("successThreshold", 1)),
    )


def _http_path(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _mount(mount: Raw, fixed: set[str]) -> VolumeMount:
    read_only = mount.get("readOnly", mount["name"] in fixed)
    return VolumeMount(mount["name"], mount["mountPath"], read_only, mount.get("subPath", ""))


def _volume(volume: Raw) -> Volume:
    name = volume["name"]
    if "emptyDir" in volume:
        limit = volume["emptyDir"].get("sizeLimit")
        return Volume(name, "emptyDir", size_limit_bytes=None if limit is None else parse_bytes(str(limit)))
    kind: Any = next(kind for kind in ("secret", "configMap", "projected") if kind in volume)
    source = volume[kind]
    sources = source["sources"] if kind == "projected" else [{kind: source}]
    return Volume(
        name,
        kind,
        sources=tuple(_file_source(each) for each in sources),
        default_mode=int(source.get("defaultMode", 0o444)),
    )


def _file_source(source: Raw) -> FileSource:
    kind: Any = "secret" if "secret" in source else "configMap"
    named = source[kind]
    return FileSource(
        kind,
        named.get("secretName") or named["name"],
        items=tuple(VolumeItem(item["key"], item["path"], item.get("mode")) for item in named.get("items", ())),
        optional=named.get("optional", False),
    )
