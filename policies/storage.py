"""Rules of storage: what a container sees of the host, of other containers, and of the platform's volumes."""

from __future__ import annotations

from collections.abc import Iterator

from policies.mount import drivers_of, host_mounts, host_paths, lenders_of, volumes_of
from policies.part import host_reads, may_have_engine_socket, own_volumes
from policies.property import Properties
from policies.resource import VOLUME, ResourceRule
from runyard import names

_ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
_DEVICES = ("devices", "deviceCgroupRules", "deviceRequests", "gpus")


def check_socket(properties: Properties, stack: str) -> Iterator[str]:
    """Find containers that hold the engine's socket, and with it the host."""
    for path in host_paths(properties):
        if path in _ENGINE_SOCKETS and not may_have_engine_socket(properties, stack):
            yield f"the engine's socket must not be mounted, got {path}"


def check_binds(properties: Properties, stack: str) -> Iterator[str]:
    """Find files of the host inside a container."""
    own = host_reads(properties, stack)
    for path, is_read in host_mounts(properties):
        if path not in _ENGINE_SOCKETS and not (is_read and path in own):
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
    own = own_volumes(properties, stack)
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


RULES = (
    ResourceRule(
        "no-engine-socket",
        "Nothing but the filter and its spare holds the engine's socket.",
        "ask the orchestrator instead",
        check_socket,
    ),
    ResourceRule("no-host-paths", "No container sees the host's files or devices.", "use a volume", check_binds),
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
        (VOLUME,),
    ),
)
