"""Rules of CPU and memory: any amounts that the engine can hold a container to, on whatever hardware there is."""

from __future__ import annotations

from collections.abc import Callable

from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import Raw, all_containers, mapping_at
from runyard.units import parse_bytes, parse_cpu_millis

MEBIBYTE = 1024**2
GIBIBYTE = 1024**3
DEFAULT_CPU_MILLIS = 1000
DEFAULT_MEMORY_BYTES = 512 * MEBIBYTE
# The kernel's least share of its default period: 1 ms of 100 (Documentation/scheduler/sched-bwc).
_CPU_LEAST_MILLIS = 10
# The engine makes no container with less (moby, daemon/daemon_unix.go).
_MEMORY_LEAST_BYTES = 6 * MEBIBYTE


def check_resources(service: Raw, findings: Findings) -> None:
    """Check the least CPU and memory of each container, and requests by limits."""
    for path, container in all_containers(service):
        _check_container(container, (*path, "resources"), findings)


def parse_limit(container: Raw, name: str) -> int | None:
    """Give a container's CPU limit in thousandths or memory limit in bytes; None if it cannot be read."""
    default, parse = _KINDS[name]
    return _parse(mapping_at(container, "resources", "limits").get(name), parse, default)


def ingress_container(containers: list[Raw]) -> Raw | None:
    """Find the container that receives requests: the one with ports, or the only one."""
    if len(containers) == 1:
        return containers[0]
    return next((container for container in containers if "ports" in container), None)


def _check_container(container: Raw, path: Path, findings: Findings) -> None:
    cpu, memory = parse_limit(container, "cpu"), parse_limit(container, "memory")
    limits = mapping_at(container, "resources", "limits")
    if cpu is None:
        message = f"must be a multiple of 0.001, got {render_value(limits['cpu'])}"
        _once(findings, (*path, "limits", "cpu"), "resources.cpu", message)
    elif cpu < _CPU_LEAST_MILLIS:
        message = f"must be at least {_CPU_LEAST_MILLIS / 1000:g}, got {render_value(limits['cpu'])}"
        findings.error((*path, "limits", "cpu"), "resources.cpu", message)
    if memory is None:
        message = f"must be a whole number of bytes, got {render_value(limits['memory'])}"
        _once(findings, (*path, "limits", "memory"), "resources.memory", message)
    elif memory < _MEMORY_LEAST_BYTES:
        message = f"must be at least {render_size(_MEMORY_LEAST_BYTES)}, got {render_value(limits['memory'])}"
        findings.error((*path, "limits", "memory"), "resources.memory", message)
    _check_requests(container, path, findings)


def _once(findings: Findings, path: Path, rule: str, message: str) -> None:
    """Add an error, unless the schema has said that the value is no quantity at all."""
    location = findings.locate(path, False)
    if not any(problem.location == location for problem in findings.problems):
        findings.error(path, rule, message)


def _check_requests(container: Raw, path: Path, findings: Findings) -> None:
    requests = mapping_at(container, "resources", "requests")
    for name, (_, parse) in _KINDS.items():
        limit, request = parse_limit(container, name), _parse(requests.get(name), parse, default=0)
        if limit is not None and request is not None and request > limit:
            limits = mapping_at(container, "resources", "limits")
            shown = render_value(limits[name]) if name in limits else f"{_DEFAULTS[name]} by default"
            message = f"must be at most the limit ({shown}), got {render_value(requests[name])}"
            findings.error((*path, "requests", name), "resources.requests", message)


def _parse(value: object, parse: Callable[[str], int], default: int) -> int | None:
    if value is None:
        return default
    try:
        return parse(str(value))
    except ValueError:
        return None


def render_size(size: int) -> str:
    """Render bytes in the largest unit that fits: 4Gi, 512Mi."""
    return f"{size // GIBIBYTE}Gi" if size % GIBIBYTE == 0 else f"{size // MEBIBYTE}Mi"


_KINDS: dict[str, tuple[int, Callable[[str], int]]] = {
    "cpu": (DEFAULT_CPU_MILLIS, parse_cpu_millis),
    "memory": (DEFAULT_MEMORY_BYTES, parse_bytes),
}
_DEFAULTS = {"cpu": "1", "memory": "512Mi"}
