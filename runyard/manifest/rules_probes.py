"""Rules of probes: one handler, and times that fit each other."""

from __future__ import annotations

from runyard.manifest.problems import Findings, Path
from runyard.manifest.raw import CONTAINERS, PROBES, Raw, mappings_at, number_at

HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")


def check_probes(service: Raw, findings: Findings) -> None:
    """Check every probe of every container."""
    for index, container in mappings_at(service, *CONTAINERS):
        for name in PROBES:
            probe = container.get(name)
            if type(probe) is dict:
                path = (*CONTAINERS, index, name)
                _check_handler(name, probe, path, findings)
                _check_times(name, probe, path, findings)


def _check_handler(name: str, probe: Raw, path: Path, findings: Findings) -> None:
    given = [handler for handler in HANDLERS if handler in probe]
    if len(given) > 1:
        message = f"must have one of {', '.join(HANDLERS)}, got {' and '.join(given)}"
        findings.error(path, "probe.handler", message)
    # A startup or readiness probe without one is Knative's TCP check of the port.
    if not given and name == "livenessProbe":
        findings.error(path, "probe.handler", f"must have one of {', '.join(HANDLERS)}, got none")


def _check_times(name: str, probe: Raw, path: Path, findings: Findings) -> None:
    if number_at(probe, "periodSeconds") == 0:
        _check_fast_poll(name, probe, path, findings)
    successes = number_at(probe, "successThreshold") or 1
    if name != "readinessProbe" and successes != 1:
        findings.error((*path, "successThreshold"), "probe.success", f"must be 1 here, got {successes}")


def _check_fast_poll(name: str, probe: Raw, path: Path, findings: Findings) -> None:
    if name != "readinessProbe":
        findings.error((*path, "periodSeconds"), "probe.period", "must be at least 1, got 0")
        return
    for key in ("timeoutSeconds", "failureThreshold"):
        if key in probe:
            findings.error((*path, key), "probe.period", "must not be given when periodSeconds is 0", at_key=True)
