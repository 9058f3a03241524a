"""Rules of schedules: every entry has its count, its cron and a zone that the machine knows."""

from __future__ import annotations

from runyard.manifest.problems import Findings
from runyard.manifest.raw import SERVICE_ANNOTATIONS, Raw, mapping_at
from runyard.scaling.schedule import parse_schedule

ANNOTATION = "runyard.dev/schedule"
_MANUAL = "run.googleapis.com/scalingMode"


def check_schedule(service: Raw, findings: Findings) -> None:
    """Check the schedule of a service, which a number that is set by hand leaves without effect."""
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    text, path = annotations.get(ANNOTATION), (*SERVICE_ANNOTATIONS, ANNOTATION)
    # Of what is no text, or none at all, the schema has told.
    if type(text) is not str or not text:
        return
    try:
        parse_schedule(text)
    except ValueError as error:
        findings.error(path, "schedule.form", str(error))
    if annotations.get(_MANUAL) == "manual":
        findings.warning(path, "schedule.manual", "has no effect with scalingMode manual", "remove one of the two")
