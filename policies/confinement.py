"""Rules of confinement: what keeps a container from its host and from other containers."""

from __future__ import annotations

from collections.abc import Iterator

from policies.mount import listed
from policies.part import capabilities_of, part_of
from policies.property import Properties
from policies.resource import ResourceRule

_HOST = "host"
# Enough of an option to find it; one may hold a whole seccomp profile.
_SHOWN_LENGTH = 40
# These log to files of the engine's own, or not at all; others write where the host can and a container cannot.
_LOG_DRIVERS = ("", "json-file", "local", "none")
# Threads of real-time priority are not held by the CPU limit.
_PRIORITY_ULIMITS = ("nice", "rtprio")


def check_privileged(properties: Properties, stack: str) -> Iterator[str]:
    """Find privileged containers."""
    if properties.get("privileged"):
        yield "privileged must not be true, got true"


def check_capabilities(properties: Properties, stack: str) -> Iterator[str]:
    """Find added capabilities, and those that are not dropped."""
    capabilities = properties.get("capabilities") or {}
    added = {_capability(each) for each in capabilities.get("adds") or ()}
    excess = added - capabilities_of(properties, stack)
    if excess:
        yield f"capabilities.adds must be empty, got {', '.join(sorted(excess))}"
    if "CAP_ALL" not in {_capability(each) for each in capabilities.get("drops") or ()}:
        yield "capabilities.drops must hold ALL"


def check_namespaces(properties: Properties, stack: str) -> Iterator[str]:
    """Find namespaces shared with the host, or with another container."""
    part = part_of(properties, stack)
    for key in ("networkMode", "pidMode", "ipcMode", "usernsMode", "cgroupnsMode"):
        mode = str(properties.get(key) or "")
        if (mode == _HOST and not (part and key == "networkMode")) or mode.startswith("container:"):
            yield f"{key} must not be that of the host or of another container, got {mode}"


def check_engine(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers that the engine would run, bound or log in another way than its own."""
    runtime, driver = str(properties.get("runtime") or "runc"), str(properties.get("logDriver") or "")
    if runtime != "runc":
        yield f"runtime must be the engine's own, got {runtime}"
    if properties.get("cgroupParent"):
        yield f"cgroupParent must be the engine's own, got {properties['cgroupParent']}"
    if properties.get("sysctls"):
        yield f"sysctls must be empty, got {', '.join(sorted(properties['sysctls']))}"
    if driver not in _LOG_DRIVERS:
        yield f"logDriver must be json-file, local or none, got {driver}"
    for limit in listed(properties, "ulimits"):
        if limit.get("name") in _PRIORITY_ULIMITS:
            yield f"ulimits must raise no priority, got {limit['name']}"


def check_limits(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers without a memory limit, and of those that carry revisions without a CPU limit."""
    if not float(properties.get("memory") or 0) > 0:
        yield "memory must be limited"
    if float(properties.get("memorySwap") or 0) < 0:
        yield "memorySwap must be limited, got no limit"
    if not float(properties.get("cpuQuota") or 0) > 0 and not part_of(properties, stack):
        yield "cpuQuota must be set"
    # The quotas count cpuQuota, and `cpus` takes its place at the engine.
    if properties.get("cpus"):
        yield f"cpus must be left out, got {properties['cpus']}"


def check_ports(properties: Properties, stack: str) -> Iterator[str]:
    """Find ports that are published around the gateway."""
    for port in listed(properties, "ports"):
        # Pulumi hands every number over as a float.
        yield f"no port must be published, got {int(port.get('external') or port.get('internal') or 0)}"
    if properties.get("publishAllPorts"):
        yield "publishAllPorts must not be true, got true"


def check_privileges(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers whose programs may gain privileges, or run without the engine's filters."""
    options = [str(each).replace("=", ":") for each in properties.get("securityOpts") or ()]
    if not any(option in ("no-new-privileges", "no-new-privileges:true") for option in options):
        yield "securityOpts must hold no-new-privileges"
    for option in options:
        # A profile of one's own may allow everything, so that only the engine's own will do.
        if option not in ("no-new-privileges", "no-new-privileges:true"):
            yield f"securityOpts must put nothing in the place of the engine's filters, got {option[:_SHOWN_LENGTH]}"


def check_root(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers that can change their own image's files."""
    if not properties.get("readOnly"):
        yield "readOnly must be true"


def _capability(name: object) -> str:
    text = str(name).upper()
    return text if text.startswith("CAP_") else f"CAP_{text}"


RULES = (
    ResourceRule("not-privileged", "No container is privileged.", "remove privileged", check_privileged),
    ResourceRule(
        "capabilities-dropped",
        "A container drops all capabilities and adds none.",
        "set capabilities to drops ALL",
        check_capabilities,
    ),
    ResourceRule(
        "own-namespaces",
        "A container shares no namespace with the host or with another container.",
        "remove networkMode, pidMode, ipcMode and usernsMode",
        check_namespaces,
    ),
    ResourceRule("container-limited", "A container is limited.", "set memory and cpuQuota", check_limits),
    ResourceRule("no-published-ports", "Only the gateway takes requests.", "write a Service manifest", check_ports),
    ResourceRule(
        "no-new-privileges",
        "No program in a container gains privileges.",
        "set securityOpts to no-new-privileges",
        check_privileges,
    ),
    ResourceRule("read-only-root", "A container's root is read-only.", "set readOnly and a tmpfs", check_root),
    ResourceRule(
        "engine-defaults-kept",
        "A container keeps the engine's runtime, cgroup, kernel settings and logs.",
        "remove runtime, cgroupParent, sysctls, logDriver and the ulimit",
        check_engine,
    ),
)
