"""Rules of resources: what Pulumi is about to make, hand-written code beside the manifests too.

The platform's own parts are excepted where they must be, each by its exact role label and its exact name, and for
exactly what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runyard import names

CONTAINER = "docker:index/container:Container"
SERVICE = "docker:index/service:Service"
Properties = Mapping[str, Any]
ResourceCheck = Callable[[Properties, str], Iterator[str]]

_ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
_GATEWAY_CAPABILITIES = frozenset({"CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"})
_PARTS = {names.ROLE_GATEWAY, names.ROLE_ORCHESTRATOR}
_HOST = "host"


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """A rule of a container resource; `check` gives a message for each breach and takes the stack's name."""

    id: str
    sentence: str
    fix: str
    check: ResourceCheck


def stack_of(urn: str) -> str:
    """Give the stack's name in a resource's URN, `urn:pulumi:<stack>::<project>::<type>::<name>`."""
    return urn.split("::", 1)[0].removeprefix("urn:pulumi:")


def part_of(properties: Properties, stack: str) -> str:
    """Give the part of the platform that a container is, by role and name together; empty if it is none."""
    labels = {str(each.get("label")): each.get("value") for each in _list(properties, "labels")}
    role = labels.get(names.ROLE)
    fits = role in _PARTS and labels.get(names.STACK) == stack
    return str(role) if fits and properties.get("name") == names.platform_container(stack, str(role)) else ""


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
    for path in _host_paths(properties):
        if path in _ENGINE_SOCKETS and part_of(properties, stack) != names.ROLE_ORCHESTRATOR:
            yield f"the engine's socket must not be mounted, got {path}"


def check_binds(properties: Properties, stack: str) -> Iterator[str]:
    """Find files of the host inside a container."""
    for path in _host_paths(properties):
        if path not in _ENGINE_SOCKETS:
            yield f"no path of the host must be mounted, got {path}"
    if properties.get("devices"):
        yield "no device of the host must be given"


def check_limits(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers without a memory limit, and of those that carry revisions without a CPU limit."""
    if not properties.get("memory"):
        yield "memory must be limited"
    limited = any(properties.get(key) for key in ("cpuQuota", "cpus"))
    if not limited and not part_of(properties, stack):
        yield "CPU must be limited"


def check_ports(properties: Properties, stack: str) -> Iterator[str]:
    """Find ports that are published around the gateway."""
    for port in _list(properties, "ports"):
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
        if option.endswith(":unconfined") or option in ("label:disable", "no-new-privileges:false"):
            yield f"securityOpts must switch no filter off, got {option}"


def check_root(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers that can change their own image's files."""
    if not properties.get("readOnly"):
        yield "readOnly must be true"


def check_services(properties: Properties, stack: str) -> Iterator[str]:
    """Find Swarm services, which no rule above understands."""
    if "taskSpec" in properties:
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
    ),
)


def _list(properties: Properties, key: str) -> list[Mapping[str, Any]]:
    return list(properties.get(key) or ())


def _host_paths(properties: Properties) -> Iterator[str]:
    """Give every path of the host that is mounted, in each of the three ways that the provider knows."""
    for volume in _list(properties, "volumes"):
        if volume.get("hostPath"):
            yield _normal(str(volume["hostPath"]))
        elif str(volume.get("volumeName") or "").startswith("/"):
            yield _normal(str(volume["volumeName"]))
    for mount in _list(properties, "mounts"):
        if mount.get("type") == "bind":
            yield _normal(str(mount.get("source")))


def _normal(path: str) -> str:
    """Give a path without doubled slashes and dots, so that no spelling of the socket passes for another file."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _capability(name: object) -> str:
    text = str(name).upper()
    return text if text.startswith("CAP_") else f"CAP_{text}"
