"""Rules of CPU, memory and concurrency, as Cloud Run has them."""

from __future__ import annotations

from collections.abc import Callable

from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import CONTAINERS, Raw, all_containers, mapping_at, mappings_at, number_at
from runyard.units import parse_bytes, parse_cpu_millis

MEBIBYTE = 1024**2
GIBIBYTE = 1024**3
DEFAULT_CPU_MILLIS = 1000
DEFAULT_MEMORY_BYTES = 512 * MEBIBYTE
_CPU_LEAST_MILLIS = 80
_CPU_WHOLE_MILLIS = (1000, 2000, 4000, 6000, 8000)
_MEMORY_LEAST_BYTES = 128 * MEBIBYTE
# Cloud Run's table: least and most memory for each CPU step; below one CPU it is bounded by _memory_below_one.
_MEMORY_BY_CPU = {
    1000: (_MEMORY_LEAST_BYTES, 4 * GIBIBYTE),
    2000: (_MEMORY_LEAST_BYTES, 8 * GIBIBYTE),
    4000: (2 * GIBIBYTE, 16 * GIBIBYTE),
    6000: (4 * GIBIBYTE, 24 * GIBIBYTE),
    8000: (4 * GIBIBYTE, 32 * GIBIBYTE),
}
_CONCURRENCY = ("spec", "template", "spec", "containerConcurrency")


def check_resources(service: Raw, findings: Findings) -> None:
    """Check CPU steps, memory by CPU, requests by limits, and concurrency by CPU."""
    for path, container in all_containers(service):
        _check_container(container, (*path, "resources"), findings)
    _check_concurrency(service, [container for _, container in mappings_at(service, *CONTAINERS)], findings)


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
    elif cpu not in _CPU_WHOLE_MILLIS and not _CPU_LEAST_MILLIS <= cpu < 1000:
        message = f"must be 0.08 to 1, or 1, 2, 4, 6 or 8, got {render_value(limits['cpu'])}"
        findings.error((*path, "limits", "cpu"), "resources.cpu", message)
        cpu = None
    if memory is None:
        message = f"must be a whole number of bytes, got {render_value(limits['memory'])}"
        _once(findings, (*path, "limits", "memory"), "resources.memory", message)
    elif cpu is not None:
        _check_memory(cpu, memory, limits, path, findings)
    _check_requests(container, path, findings)


def _once(findings: Findings, path: Path, rule: str, message: str) -> None:
    """Add an error, unless the schema has said that the value is no quantity at all."""
    location = findings.locate(path, False)
    if not any(problem.location == location for problem in findings.problems):
        findings.error(path, rule, message)


def _check_memory(cpu: int, memory: int, limits: Raw, path: Path, findings: Findings) -> None:
    least, most = _MEMORY_BY_CPU.get(cpu) or (_MEMORY_LEAST_BYTES, _memory_below_one(cpu))
    if least <= memory <= most:
        return
    seen = f"got {render_value(limits['memory'])}" if "memory" in limits else "got 512Mi by default"
    message = f"must be {render_size(least)} to {render_size(most)} with {cpu / 1000:g} CPU, {seen}"
    findings.error((*path, "limits", "memory"), "resources.memory", message)


def _memory_below_one(cpu: int) -> int:
    return GIBIBYTE if cpu >= 500 else 512 * MEBIBYTE


def _check_requests(container: Raw, path: Path, findings: Findings) -> None:
    requests = mapping_at(container, "resources", "requests")
    for name, (_, parse) in _KINDS.items():
        limit, request = parse_limit(container, name), _parse(requests.get(name), parse, default=0)
        if limit is not None and request is not None and request > limit:
            limits = mapping_at(container, "resources", "limits")
            shown = render_value(limits[name]) if name in limits else f"{_DEFAULTS[name]} by default"
            message = f"must be at most the limit ({shown}), got {render_value(requests[name])}"
            findings.error((*path, "requests", name), "resources.requests", message)


def _check_concurrency(service: Raw, containers: list[Raw], findings: Findings) -> None:
    ingress = ingress_container(containers)
    concurrency = number_at(service, *_CONCURRENCY)
    if ingress is None or concurrency in (None, 1):
        return
    cpu = parse_limit(ingress, "cpu")
    if cpu is not None and _CPU_LEAST_MILLIS <= cpu < 1000:
        message = f"must be 1 with less than 1 CPU, got {concurrency} with {cpu / 1000:g} CPU"
        findings.error(_CONCURRENCY, "concurrency.cpu", message)


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
