"""Rules of schedules: every entry has its count, its cron and a zone that the machine knows, and may be had."""

from __future__ import annotations

from runyard.contracts import ScheduledMinimum
from runyard.manifest.persistence import ANNOTATION as PERSISTENT_VOLUMES
from runyard.manifest.problems import Findings, Path
from runyard.manifest.raw import SERVICE_ANNOTATIONS, TEMPLATE_ANNOTATIONS, Raw, mapping_at
from runyard.manifest.rules_annotations import AUTOSCALING, CLOUD_RUN, count_at
from runyard.scaling.counts import WRITERS
from runyard.scaling.schedule import parse_schedule

ANNOTATION = "runyard.dev/schedule"
_MANUAL = CLOUD_RUN + "scalingMode"
_PATH: Path = (*SERVICE_ANNOTATIONS, ANNOTATION)
# Of these the template's is in either spelling.
_MOST = (
    (SERVICE_ANNOTATIONS, CLOUD_RUN + "maxScale"),
    (TEMPLATE_ANNOTATIONS, AUTOSCALING + "maxScale"),
    (TEMPLATE_ANNOTATIONS, AUTOSCALING + "max-scale"),
)


def check_schedule(service: Raw, findings: Findings) -> None:
    """Check the schedule of a service, which a number that is set by hand leaves without effect."""
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    text = annotations.get(ANNOTATION)
    # Of what is no text, or none at all, the schema has told.
    if type(text) is not str or not text:
        return
    try:
        _check_counts(service, parse_schedule(text), findings)
    except ValueError as error:
        findings.error(_PATH, "schedule.form", str(error))
    if annotations.get(_MANUAL) == "manual":
        findings.warning(_PATH, "schedule.manual", "has no effect with scalingMode manual", "remove one of the two")


def _check_counts(service: Raw, schedule: tuple[ScheduledMinimum, ...], findings: Findings) -> None:
    """Find entries that ask for more instances than there may be."""
    bounds = [(count_at(mapping_at(service, *place), name), name) for place, name in _MOST]
    if PERSISTENT_VOLUMES in mapping_at(service, *SERVICE_ANNOTATIONS):
        bounds.append((WRITERS, f"{PERSISTENT_VOLUMES}, which has one writer"))
    # A maximum of 0 is none.
    known = [(count, name) for count, name in bounds if count]
    if not known:
        return
    most, name = min(known)
    for number, entry in enumerate(schedule, 1):
        if entry.instances > most:
            message = f"entry {number}: count: must be at most {most} ({name}), got {entry.instances}"
            findings.error(_PATH, "schedule.most", message)
