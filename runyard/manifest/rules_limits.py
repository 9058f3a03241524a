"""Rules of limits: what the annotations that tell clients apart need beside them."""

from __future__ import annotations

from runyard.manifest.problems import Findings
from runyard.manifest.raw import SERVICE_ANNOTATIONS, Raw, mapping_at
from runyard.manifest.rules_annotations import RUNYARD

_RATE = RUNYARD + "client-requests-per-second"


def check_limits(service: Raw, findings: Findings) -> None:
    """Check that nothing shapes a limit of clients which is not there."""
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    for name in (RUNYARD + "client-burst", RUNYARD + "client-header"):
        if name in annotations and _RATE not in annotations:
            message = f"must stand beside {_RATE}, got it alone"
            findings.error((*SERVICE_ANNOTATIONS, name), "limits.client", message, at_key=True)
