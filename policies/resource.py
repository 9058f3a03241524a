"""Rules of resources: what Pulumi is about to make, hand-written code beside the manifests too.

The platform's own parts are excepted where they must be, each by its exact role label and its exact name, and for
exactly what it needs. Properties are in Pulumi's spelling (`hostPath`), however a program spells them: the provider
gives them that before any rule is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from policies.mount import Properties, drivers_of, host_paths, lenders_of, listed, volumes_of
from runyard import names

CONTAINER = "docker:index/container:Container"
PLUGIN = "docker:index/plugin:Plugin"
SERVICE = "docker:index/service:Service"
VOLUME = "docker:index/volume:Volume"
ResourceCheck = Callable[[Properties, str], Iterator[str]]

_ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
_GATEWAY_CAPABILITIES = frozenset({"CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"})
# The platform's volumes that each of its parts mounts.
_PARTS = {
    names.ROLE_GATEWAY: (names.ROLE_GATEWAY,),
    names.ROLE_ORCHESTRATOR: (names.ROLE_GATEWAY, names.ROLE_ORCHESTRATOR),
}
_HOST = "host"
# Enough of an option to find it; one may hold a whole seccomp profile.
_SHOWN_LENGTH = 40
_DEVICES = ("devices", "deviceCgroupRules", "deviceRequests", "gpus")
# These log to files of the engine's own, or not at all; others write where the host can and a container cannot.
_LOG_DRIVERS = ("", "json-file", "local", "none")
# Threads of real-time priority are not held by the CPU limit.
_PRIORITY_ULIMITS = ("nice", "rtprio")


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """A rule of resources of one type; `check` gives a message for each breach and takes the stack's name."""

    id: str
    sentence: str
    fix: str
    check: ResourceCheck
    type: str = CONTAINER
    severity: Literal["advisory", "mandatory"] = "mandatory"


def stack_of(urn: str) -> str:
    """Give the stack's name in a resource's URN, `urn:pulumi:<stack>::<project>::<type>::<name>`."""
    return urn.split("::", 1)[0].removeprefix("urn:pulumi:")


def role_of(properties: Properties, stack: str) -> str:
    """Give the role that a container's labels say it has in this stack; empty if they say none."""
    labels = {str(each.get("label")): each.get("value") for each in listed(properties, "labels")}
    return str(labels.get(names.ROLE) or "") if labels.get(names.STACK) == stack else ""


def part_of(properties: Properties, stack: str) -> str:
    """Give the part of the platform that a container is, by role and name together; empty if it is none."""
    role = role_of(properties, stack)
    return role if role in _PARTS and properties.get("name") == names.platform_container(stack, role) else ""


def check_privileged(properties: Properties, stack: str) -> Iterator[str]:
    """Find privileged containers."""
    if properties.get("privileged"):
        yield "privileged must not be true, got true"


def check_capabilities(properties: Properties, stack: str) -> Iterator[str]:
    """Find added capabilities, and those that are not dropped."""
    capabilities = properties.get("capabilities") or {}
    added = {_capability(each) for each in capabilities.get("adds") or ()}
    excess = added - (_GATEWAY_CAPABILITIES if part_of(properties, stack) == names.ROLE_GATEWAY else frozenset())
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


def check_socket(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers that hold the engine's socket, and with it the host."""
    for path in host_paths(properties):
        if path in _ENGINE_SOCKETS and part_of(properties, stack) != names.ROLE_ORCHESTRATOR:
            yield f"the engine's socket must not be mounted, got {path}"


def check_binds(properties: Properties, stack: str) -> Iterator[str]:
    """Find files of the host inside a container."""
    for path in host_paths(properties):
        if path not in _ENGINE_SOCKETS:
            yield f"no path of the host must be mounted, got {path}"
    for key in _DEVICES:
        if properties.get(key):
            yield f"no device of the host must be given, got {key}"


def check_lenders(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers that take all mounts of another, the engine's socket of the orchestrator among them."""
    for lender in lenders_of(properties):
        yield f"volumes must not be those of another container, got fromContainer {lender}"


def check_own_volumes(properties: Properties, stack: str) -> Iterator[str]:
    """Find the platform's volumes in other hands: control socket, certificates and their keys lie there."""
    own = {names.platform_volume(stack, each) for each in _PARTS.get(part_of(properties, stack), ())}
    for volume in volumes_of(properties):
        if names.is_runyards(volume) and volume not in own:
            yield f"a volume of the platform must not be mounted, got {volume}"


def check_mount_drivers(properties: Properties, stack: str) -> Iterator[str]:
    """Find mounts that are more than a volume of the engine's own, which a driver's options can make of one."""
    for what in drivers_of(properties):
        yield f"mounts must be plain volumes or tmpfs, got {what}"


def check_volume(properties: Properties, stack: str) -> Iterator[str]:
    """Find volumes that show a path, a disk or a share of the host's under a volume's name."""
    driver = properties.get("driver") or "local"
    if driver != "local":
        yield f"driver must be local, got {driver}"
    for key in ("driverOpts", "cluster"):
        if properties.get(key):
            yield f"{key} must be empty, got {', '.join(sorted(properties[key]))}"


def check_plugin(properties: Properties, stack: str) -> Iterator[str]:
    """Find plugins, which run as part of the engine."""
    yield "a plugin of the engine must not be declared"


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
    if not properties.get("memory"):
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


def check_services(properties: Properties, stack: str) -> Iterator[str]:
    """Find Swarm services, which no rule above understands."""
    yield "a Swarm service must not be declared beside the manifests"


RESOURCE_RULES = (
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
    ResourceRule(
        "no-engine-socket",
        "Nothing but the orchestrator holds the engine's socket.",
        "ask the orchestrator instead",
        check_socket,
    ),
    ResourceRule("no-host-paths", "No container sees the host's files or devices.", "use a volume", check_binds),
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
        "no-swarm-services",
        "No Swarm service stands beside the manifests.",
        "write a Service manifest",
        check_services,
        SERVICE,
    ),
    ResourceRule(
        "no-borrowed-volumes",
        "No container has the volumes of another.",
        "mount a volume by its name",
        check_lenders,
    ),
    ResourceRule(
        "platform-volumes-kept",
        "The platform's volumes are its parts' alone.",
        "use a volume of your own",
        check_own_volumes,
    ),
    ResourceRule(
        "plain-mounts",
        "A mount is a volume or a tmpfs, without a driver of its own.",
        "remove driverName and driverOptions",
        check_mount_drivers,
    ),
    ResourceRule(
        "plain-volumes",
        "A volume is a directory that the engine keeps.",
        "remove driver, driverOpts and cluster",
        check_volume,
        VOLUME,
    ),
    ResourceRule(
        "engine-defaults-kept",
        "A container keeps the engine's runtime, cgroup, kernel settings and logs.",
        "remove runtime, cgroupParent, sysctls, logDriver and the ulimit",
        check_engine,
    ),
    ResourceRule("no-engine-plugins", "No plugin is given to the engine.", "install it by hand", check_plugin, PLUGIN),
)
# All that the rules above look at.
RESOURCE_TYPES = frozenset(rule.type for rule in RESOURCE_RULES)


def _capability(name: object) -> str:
    text = str(name).upper()
    return text if text.startswith("CAP_") else f"CAP_{text}"
