"""Rules of persistent volumes: their names, and the one instance that a volume with one writer allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runyard.manifest.documents import YamlDocument
from runyard.manifest.model import PersistentVolume, Service
from runyard.manifest.persistence import ANNOTATION, parse_persistent_volumes
from runyard.manifest.problems import Findings, Path, Problem, render_value
from runyard.manifest.raw import (
    SERVICE_ANNOTATIONS,
    TEMPLATE_ANNOTATIONS,
    VOLUMES,
    Raw,
    mapping_at,
    mappings_at,
    number_at,
    text_at,
)
from runyard.units import parse_duration_s

_RULE = "volumes.persistent"
_PLACE = (*SERVICE_ANNOTATIONS, ANNOTATION)
_WHY = f"{ANNOTATION} has one writer"
_CLOUD_RUN, _AUTOSCALING = "run.googleapis.com/", "autoscaling.knative.dev/"
# Counts of instances that may not be above one.
_COUNTS = (
    *((SERVICE_ANNOTATIONS, _CLOUD_RUN + name) for name in ("minScale", "maxScale", "manualInstanceCount")),
    *((TEMPLATE_ANNOTATIONS, _AUTOSCALING + name) for name in ("minScale", "min-scale", "maxScale", "max-scale")),
)
_DURATION = (*SERVICE_ANNOTATIONS, "serving.knative.dev/rollout-duration")
_TRAFFIC = ("spec", "traffic")


def find_persistent_volumes(service: Raw) -> tuple[PersistentVolume, ...]:
    """Give the persistent volumes of a Service; none where they cannot be read, of which `check_persistence` tells."""
    try:
        return parse_persistent_volumes(text_at(service, *_PLACE))
    except ValueError:
        return ()


def check_persistence(service: Raw, findings: Findings) -> None:
    """Check the persistent volumes of one Service, and that never two instances write to them."""
    text = text_at(service, *_PLACE)
    if not text:
        return
    try:
        volumes = parse_persistent_volumes(text)
    except ValueError as error:
        findings.error(_PLACE, _RULE, str(error))
        return
    own = {volume.name for volume in volumes}
    for index, volume in mappings_at(service, *VOLUMES):
        if text_at(volume, "name") in own:
            message = f"must not be that of a volume of {ANNOTATION}, got {render_value(volume['name'])}"
            findings.error((*VOLUMES, index, "name"), _RULE, message)
    _check_counts(service, findings)
    _check_traffic(service, findings)


def check_writers(services: Sequence[tuple[Service, YamlDocument]]) -> Iterator[Problem]:
    """Check that no two services of a tenant have one persistent volume."""
    seen: dict[tuple[str, str], Service] = {}
    for service, document in services:
        for volume in service.persistent_volumes:
            first = seen.setdefault((service.tenant, volume.name), service)
            if first is not service:
                findings = Findings(document.locate)
                message = f"must name volumes of no other service, got {volume.name} of {first.name} ({first.location})"
                findings.error(_PLACE, "set.volume", message)
                yield from findings.problems


def _check_counts(service: Raw, findings: Findings) -> None:
    for place, name in _COUNTS:
        text = text_at(mapping_at(service, *place), name)
        least = 1 if name.lower().endswith(("maxscale", "max-scale")) else 0
        # The schema has told of what is no count. A maximum of 0 is none.
        if text.isascii() and text.isdigit() and not least <= int(text[:9]) <= 1:
            allowed = "1" if least else "0 or 1"
            findings.error((*place, name), _RULE, f"must be {allowed}, got {text[:9]}", _WHY)


def _check_traffic(service: Raw, findings: Findings) -> None:
    duration = text_at(service, *_DURATION)
    try:
        gradual = bool(duration) and parse_duration_s(duration) > 0
    except ValueError:
        gradual = False  # the schema has told
    if gradual:
        findings.error(_DURATION, _RULE, f"must be 0s, got {render_value(duration)}", _WHY)
    revisions: dict[str, Path] = {}
    for index, share in mappings_at(service, *_TRAFFIC):
        # One with neither is what Cloud Run's exports list, and runs nothing.
        if number_at(share, "percent") or text_at(share, "tag"):
            revisions.setdefault(text_at(share, "revisionName"), (*_TRAFFIC, index))
    for path in list(revisions.values())[1:]:
        findings.error(path, _RULE, f"must name one revision in all, got {len(revisions)}", _WHY)
