"""Rules of limits: what stands beside what, and how long a request may wait."""

from __future__ import annotations

from runyard.manifest.problems import Findings, render_value
from runyard.manifest.raw import SERVICE_ANNOTATIONS, Raw, mapping_at, text_at
from runyard.manifest.rules_annotations import RUNYARD
from runyard.units import parse_duration_s

_RATE = RUNYARD + "client-requests-per-second"
_WAIT = RUNYARD + "queue-timeout"
# Cloud Run's longest request timeout.
_LONGEST_WAIT_S = 3600


def check_limits(service: Raw, findings: Findings) -> None:
    """Check that nothing shapes a limit of clients which is not there, and that no request waits for ever."""
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    for name in (RUNYARD + "client-burst", RUNYARD + "client-header"):
        if name in annotations and _RATE not in annotations:
            message = f"must stand beside {_RATE}, got it alone"
            findings.error((*SERVICE_ANNOTATIONS, name), "limits.client", message, at_key=True)
    text = text_at(annotations, _WAIT)
    try:
        wait_s = parse_duration_s(text) if text else 1
    except ValueError:
        # The schema has said what it must look like.
        return
    if not 1 <= wait_s <= _LONGEST_WAIT_S:
        message = f"must be 1s to {_LONGEST_WAIT_S}s, got {render_value(text)}"
        findings.error((*SERVICE_ANNOTATIONS, _WAIT), "limits.queue", message)
