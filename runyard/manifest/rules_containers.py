"""Rules of containers: names, the one port, and environment variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runyard.manifest.documents import YamlDocument
from runyard.manifest.model import DEFAULT_PORT, Platform
from runyard.manifest.problems import Findings, Path, Problem, render_value
from runyard.manifest.raw import (
    CONTAINERS,
    INIT_CONTAINERS,
    Raw,
    all_containers,
    mapping_at,
    mappings_at,
    number_at,
    text_at,
    value_at,
)
from runyard.reference import is_printed_id

# Knative's own container in a pod, and the ports that it listens on.
RESERVED_CONTAINER = "queue-proxy"
_RESERVED_PORTS = frozenset({8012, 8013, 8022, 9090, 9091})
_RESERVED_ENV = frozenset({"K_SERVICE", "K_CONFIGURATION", "K_REVISION"})
# What the platform's template of Cloud Run files has in place of an image: ${IMAGE}, $(IMAGE), PROJECT_ID, <image>.
_PLACEHOLDER = re.compile(r"[$%{}()<>]|[A-Z]")


def check_containers(service: Raw, findings: Findings) -> None:
    """Check names, ports and environment of all containers."""
    containers = list(mappings_at(service, *CONTAINERS))
    _check_names(service, findings)
    _check_ports(service, containers, findings)
    several = len(containers) > 1
    for path, container in all_containers(service):
        sidecar = "ports" not in container and (several or path[:-1] == INIT_CONTAINERS)
        _check_env(container, path, findings, sidecar=sidecar)
        _check_env_from(container, path, findings)
        _check_image(container, path, findings)
        _check_user(container, path, findings)


def _check_names(service: Raw, findings: Findings) -> None:
    # Names of the containers are told before those of what runs before them, which must differ from them.
    seen: dict[str, str] = {}
    for base, container in sorted(all_containers(service), key=lambda each: each[0][:-1] == INIT_CONTAINERS):
        path = (*base, "name")
        name = text_at(container, "name")
        if not name:
            continue  # the schema has told
        if name == RESERVED_CONTAINER:
            findings.error(path, "containers.reserved", f"must not be {RESERVED_CONTAINER}, which is reserved")
        if name in seen:
            findings.error(path, "containers.unique", f"must be unique, got {render_value(name)} as in {seen[name]}")
        seen.setdefault(name, f"{base[-2]}[{base[-1]}]")


def _check_ports(service: Raw, containers: list[tuple[int, Raw]], findings: Findings) -> None:
    with_ports = [index for index, container in containers if "ports" in container]
    listed = value_at(service, *CONTAINERS)
    if len(containers) > 1 and not with_ports and len(containers) == len(listed):
        findings.error(
            CONTAINERS, "ports.one", "must have ports in one container, which receives the requests, got none"
        )
    for index in with_ports[1:]:
        message = f"must stand in one container only, also in containers[{with_ports[0]}]"
        hint = "sidecars are reached by localhost and need no ports"
        findings.error((*CONTAINERS, index, "ports"), "ports.one", message, hint, at_key=True)
    for index, container in containers:
        for number, port in mappings_at(container, "ports"):
            if number_at(port, "containerPort") in _RESERVED_PORTS:
                path = (*CONTAINERS, index, "ports", number, "containerPort")
                message = f"must not be a port that Knative reserves, got {port['containerPort']}"
                findings.error(path, "ports.reserved", message, "8080 is usual; the program is told in PORT")


def _check_env(container: Raw, base: Path, findings: Findings, *, sidecar: bool) -> None:
    seen: dict[str, int] = {}
    for index, variable in mappings_at(container, "env"):
        path = (*base, "env", index)
        name = text_at(variable, "name")
        if name in _RESERVED_ENV:
            findings.error((*path, "name"), "env.reserved", f"must not be {name}, which the platform sets", "remove it")
        if name == "PORT" and not sidecar:
            _check_port_variable(container, variable, path, findings)
        if name and name in seen:
            message = f"{name} is also in env[{seen[name]}]; the last one wins"
            findings.warning((*path, "name"), "env.duplicate", message)
        seen[name] = index
        _check_env_value(variable, path, findings)


def _check_port_variable(container: Raw, variable: Raw, path: Path, findings: Findings) -> None:
    """Warn where PORT is not what the platform sets it to, for that is what the program is told."""
    port = next((number_at(each, "containerPort") for _, each in mappings_at(container, "ports")), None) or DEFAULT_PORT
    if variable.get("value") != str(port):
        message = f"the platform sets PORT to the container's port, {port}; this value is not used"
        findings.warning((*path, "name"), "env.port", message, "say the port in ports[].containerPort")


def _check_env_value(variable: Raw, path: Path, findings: Findings) -> None:
    if "valueFrom" not in variable:
        return
    source = mapping_at(variable, "valueFrom")
    if "value" in variable:
        findings.error((*path, "valueFrom"), "env.one-value", "must not stand beside value", at_key=True)
    known = source.keys() & {"secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"}
    if type(variable["valueFrom"]) is dict and len(known) != 1:
        seen = " and ".join(sorted(known)) or "none"
        message = f"must have one of secretKeyRef, configMapKeyRef and fieldRef, got {seen}"
        findings.error((*path, "valueFrom"), "env.one-source", message)


def _check_env_from(container: Raw, base: Path, findings: Findings) -> None:
    for index, source in mappings_at(container, "envFrom"):
        if len(source.keys() & {"configMapRef", "secretRef"}) != 1:
            seen = "both" if "configMapRef" in source else "neither"
            message = f"must have one of configMapRef and secretRef, got {seen}"
            findings.error((*base, "envFrom", index), "env.one-source", message)


def _check_image(container: Raw, base: Path, findings: Findings) -> None:
    image = text_at(container, "image")
    if is_printed_id(image):
        message = f"must be an image's name, got the id that one engine gives it, {render_value(image)}"
        findings.error((*base, "image"), "image.id", message, "name it as its registry does")
    elif image and _PLACEHOLDER.search(image.partition("@")[0].rpartition(":")[0] or image.partition("@")[0]):
        message = f"is not the name of an image, which is in lower case, got {render_value(image)}"
        findings.warning((*base, "image"), "image.placeholder", message, "a placeholder? replace it before deploying")


def _check_user(container: Raw, base: Path, findings: Findings) -> None:
    security = mapping_at(container, "securityContext")
    if security.get("runAsNonRoot") is True and security.get("runAsUser") == 0:
        path = (*base, "securityContext", "runAsUser")
        findings.error(path, "user.non-root", "must not be 0 when runAsNonRoot is true, got 0", "use 10000 or above")


def check_roots(services: Iterable[YamlDocument], platform: Platform) -> Iterator[Problem]:
    """Check that only where the Platform allows it a container asks for a root that it can write."""
    for document in () if platform.writable_roots else services:
        findings = Findings(document.locate)
        for path, container in all_containers(document.data):
            if mapping_at(container, "securityContext").get("readOnlyRootFilesystem") is False:
                message = "must be true where the Platform does not say writableRoots, got false"
                hint = "mount an emptyDir volume where the program writes"
                place = (*path, "securityContext", "readOnlyRootFilesystem")
                findings.error(place, "containers.writable-root", message, hint)
        yield from findings.problems
