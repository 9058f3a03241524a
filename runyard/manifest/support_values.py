"""Support of values: warnings of what depends on more than a field's name, beside the table of support."""

from __future__ import annotations

from typing import Any

from runyard.manifest.problems import Findings
from runyard.manifest.raw import (
    CONTAINERS,
    SERVICE_ANNOTATIONS,
    Raw,
    all_containers,
    mapping_at,
    mappings_at,
)
from runyard.manifest.rules_handling import MAX_REQUEST_SIZE

_RULE = "support.limited"
_POD = ("spec", "template", "spec")


def check_values(service: Any, findings: Findings) -> None:
    """Warn of values of a Service that are carried out in part, or not as they read."""
    for path, container in all_containers(service):
        _check_user(mapping_at(container, "securityContext"), (*path, "securityContext"), findings)
    _check_request_size(service, findings)
    if mapping_at(service, *_POD).get("imagePullSecrets"):
        message = "not read: images are brought with what docker login knows of their registry"
        findings.warning((*_POD, "imagePullSecrets"), _RULE, message, "docker login REGISTRY, as whoever deploys")


def _check_request_size(service: Any, findings: Findings) -> None:
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    ports = (port for _, each in mappings_at(service, *CONTAINERS) for _, port in mappings_at(each, "ports"))
    if MAX_REQUEST_SIZE in annotations and any(port.get("name") == "h2c" for port in ports):
        message = "holds for bodies that tell their length, as gRPC's never do; else the Platform's maxBodySize counts"
        findings.warning((*SERVICE_ANNOTATIONS, MAX_REQUEST_SIZE), _RULE, message)


def _check_user(security: Raw, path: tuple[str | int, ...], findings: Findings) -> None:
    if "runAsUser" in security:
        return
    if security.get("runAsNonRoot") is True:
        message = "has no effect without runAsUser: the user of the image is not checked"
        findings.warning((*path, "runAsNonRoot"), _RULE, message)
    if "runAsGroup" in security:
        findings.warning((*path, "runAsGroup"), _RULE, "has no effect without runAsUser")
