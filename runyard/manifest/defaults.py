"""Defaults: what is filled into a Service before it is checked, so that what others read is read here too."""

from __future__ import annotations

from typing import Any

from runyard.manifest.aliases import resolve_aliases
from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import (
    CONTAINERS,
    SERVICE_ANNOTATIONS,
    TEMPLATE_ANNOTATIONS,
    Raw,
    mapping_at,
    mappings_at,
    text_at,
    value_at,
)
from runyard.names import DEFAULT_TENANT, digest

# As many letters as Kubernetes adds (apiserver, pkg/storage/names/generate.go).
_GENERATED = 5
# What Knative calls a container without a name; where there are several, with a number behind it
# (knative/serving, pkg/apis/serving/v1, revision_defaults.go).
DEFAULT_CONTAINER = "user-container"


def fill_defaults(service: Raw, findings: Findings) -> None:
    """Fill in, in place, what a Service leaves open; data of the wrong shape is left to the schema."""
    _fill_names(service)
    _quote_annotations(service)
    _fill_tenant(service, findings)
    _generate_name(service, findings)
    resolve_aliases(service, findings)


def _fill_names(service: Raw) -> None:
    containers = [container for _, container in mappings_at(service, *CONTAINERS)]
    if len(containers) == 1:
        containers[0].setdefault("name", DEFAULT_CONTAINER)
        return
    taken = {text_at(each, "name") for each in containers}
    free = (name for name in (f"{DEFAULT_CONTAINER}-{number}" for number in range(1000)) if name not in taken)
    for container in containers:
        if "name" not in container:
            container["name"] = next(free)


def _quote_annotations(service: Raw) -> None:
    """Read numbers and booleans without quotes as the text that they are in an annotation."""
    for path in (SERVICE_ANNOTATIONS, TEMPLATE_ANNOTATIONS):
        annotations = mapping_at(service, *path)
        for key, value in annotations.items():
            if isinstance(value, bool | int | float):
                annotations[key] = _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fill_tenant(service: Raw, findings: Findings) -> None:
    """Take the number of a project, which Cloud Run writes into what it exports, for no tenant."""
    namespace = value_at(service, "metadata", "namespace")
    if type(namespace) is bool or not isinstance(namespace, int | str) or not str(namespace).isdigit():
        return
    message = f"the number of a Cloud Run project, read as the default tenant, got {render_value(namespace)}"
    findings.warning(("metadata", "namespace"), "namespace.project", message, "name a tenant, or remove it")
    del service["metadata"]["namespace"]


def _generate_name(service: Raw, findings: Findings) -> None:
    """Complete a generated name; what a server would leave to chance is the same here each time."""
    beginning = text_at(service, "metadata", "generateName")
    if not beginning or "name" in service["metadata"]:
        return
    tenant = text_at(service, "metadata", "namespace") or DEFAULT_TENANT
    name = f"{beginning}{digest(f'{tenant} {beginning}')[:_GENERATED]}"
    service["metadata"]["name"] = name
    message = f"read as the name {name}, which stays the same: no service is made anew each time"
    findings.warning(("metadata", "generateName"), "name.generated", message, "write metadata.name")
