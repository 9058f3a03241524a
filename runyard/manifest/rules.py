"""Rules of one Service that a schema cannot say; each looks at raw data and adds every problem that it finds."""

from __future__ import annotations

from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import Raw, mapping_at, number_at, text_at, value_at
from runyard.manifest.rules_annotations import check_annotations
from runyard.manifest.rules_containers import check_containers
from runyard.manifest.rules_dependencies import check_dependencies
from runyard.manifest.rules_handling import check_handling
from runyard.manifest.rules_limits import check_limits
from runyard.manifest.rules_persistence import check_persistence
from runyard.manifest.rules_probes import check_probes
from runyard.manifest.rules_resources import check_resources
from runyard.manifest.rules_routes import check_routes
from runyard.manifest.rules_schedule import check_schedule
from runyard.manifest.rules_traffic import check_traffic
from runyard.manifest.rules_volumes import check_volumes
from runyard.names import DNS_LABEL, LABEL_PREFIX, RESERVED_SERVICES

# What timeoutSeconds 0 or nothing stands for.
DEFAULT_TIMEOUT_S = 300
_POD = ("spec", "template", "spec")


def check_service(service: Raw, findings: Findings) -> None:
    """Check every rule of one Service."""
    check_namespace(service, findings)
    check_name(service, findings)
    check_labels(service, findings)
    check_revision_name(service, findings)
    check_timeouts(service, findings)
    check_containers(service, findings)
    check_resources(service, findings)
    check_probes(service, findings)
    check_volumes(service, findings)
    check_persistence(service, findings)
    check_traffic(service, findings)
    check_annotations(service, findings)
    check_dependencies(service, findings)
    check_routes(service, findings)
    check_handling(service, findings)
    check_limits(service, findings)
    check_schedule(service, findings)


def check_namespace(document: Raw, findings: Findings) -> None:
    """Check the tenant's name, which stands in host names."""
    namespace = value_at(document, "metadata", "namespace")
    # Empty is not absent: it would be a tenant without a name. Of what is no text the schema has told.
    if type(namespace) is not str or DNS_LABEL.fullmatch(namespace):
        return
    message = f"must be a DNS label of at most 63 characters, a lower-case letter first, got {render_value(namespace)}"
    findings.error(("metadata", "namespace"), "namespace.label", message)


def check_name(service: Raw, findings: Findings) -> None:
    """Check that a service has none of the names at whose `.internal` host the platform itself answers."""
    name = text_at(service, "metadata", "name")
    if name in RESERVED_SERVICES:
        message = f"must not be one of the platform's own ({', '.join(RESERVED_SERVICES)}), got {render_value(name)}"
        findings.error(("metadata", "name"), "service.reserved", message)


def check_labels(service: Raw, findings: Findings) -> None:
    """Check that no label of the instances is one of those by which Runyard tells what they are."""
    path = ("spec", "template", "metadata", "labels")
    for name in mapping_at(service, *path):
        if type(name) is str and name.startswith(LABEL_PREFIX):
            message = f"must not begin with {LABEL_PREFIX}, got {render_value(name)}"
            findings.error((*path, name), "labels.reserved", message, "they are Runyard's own", at_key=True)


def check_revision_name(service: Raw, findings: Findings) -> None:
    """Check that a revision's name starts with its service's, so that no two services share one."""
    path = ("spec", "template", "metadata", "name")
    name, prefix = text_at(service, *path), text_at(service, "metadata", "name") + "-"
    if name and prefix != "-" and not (name.startswith(prefix) and len(name) > len(prefix)):
        findings.error(path, "revision.prefix", f"must start with {prefix}, got {render_value(name)}")


def check_timeouts(service: Raw, findings: Findings) -> None:
    """Check that the parts of a request's time are not above the whole."""
    pod = mapping_at(service, *_POD)
    limit = number_at(pod, "timeoutSeconds") or DEFAULT_TIMEOUT_S
    for key in ("responseStartTimeoutSeconds", "idleTimeoutSeconds"):
        seconds = number_at(pod, key)
        if seconds is not None and seconds > limit:
            message = f"must be at most timeoutSeconds ({limit}), got {seconds}"
            findings.error((*_POD, key), "timeouts.order", message)
