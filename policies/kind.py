"""Kinds of resources that may stand in a stack, and what each may say: an allow-list, so that what is new is refused.

What a rule judges by itself stands here as allowed; all else that is here needs no judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies.exclusive import SINGLE
from policies.mount import listed
from policies.property import Properties
from policies.resource import CONTAINER, NETWORK, PLUGIN, SERVICE, SWARM_SERVICE, VOLUME, Resource

KIND_RULE = "kinds-known"
KIND_SENTENCE = "A stack has resources of known kinds, with known properties, by the engine that its environment names."
KIND_FIX = "leave it out, or write a Service manifest"

IMAGE = "docker:index/remoteImage:RemoteImage"
_PROVIDER = "pulumi:providers:"
# These compute values, and touch nothing.
_OF_VALUES = ("random", "tls")
_PLUGINS = ("docker", "runyard", "pulumi", *_OF_VALUES)
# Pulumi's own note of which inputs are defaults.
_NOTES = "__defaults"

_CONTAINER = """
attach capabilities cgroupParent cgroupnsMode command containerReadRefreshTimeoutMilliseconds cpuPeriod cpuQuota cpuSet
cpuShares cpus destroyGraceSeconds deviceCgroupRules deviceRequests devices dns dnsOpts dnsSearches domainname
entrypoints envs gpus healthcheck hostname hosts image init ipcMode labels logDriver logOpts logs maxRetryCount memory
memoryReservation memorySwap mounts mustRun name networkMode networksAdvanced pidMode platform ports privileged
publishAllPorts readOnly removeVolumes restart rm runtime securityOpts shmSize start stdinOpen stopSignal stopTimeout
sysctls tmpfs tty ulimits uploads user usernsMode volumes wait waitTimeout workingDir
"""
_ALLOWED: Mapping[str, str] = {
    CONTAINER: _CONTAINER,
    NETWORK: "attachable driver internal ipamConfigs ipamDriver ipv6 labels name options",
    VOLUME: "cluster driver driverOpts labels name",
    # Pulled, and never built: a build runs what its context says.
    IMAGE: "forceRemove keepLocally name platform pullTriggers triggers",
}
# By the property that lists them. A driver's options of a network can set the kernel's.
_ALLOWED_WITHIN: Mapping[str, Mapping[str, str]] = {
    CONTAINER: {
        "networksAdvanced": "aliases ipv4Address ipv6Address name",
        "mounts": "bindOptions readOnly source target tmpfsOptions type volumeOptions",
        "volumes": "containerPath fromContainer hostPath readOnly volumeName",
    },
    NETWORK: {"ipamConfigs": "gateway ipRange subnet"},
}
# Others rename the bridge to one that the host has, or open it to the networks around.
_NETWORK_OPTIONS = ("com.docker.network.bridge.enable_icc", "com.docker.network.driver.mtu")
# The engine's own, which the provider fills in.
_IPAM_DRIVER = "default"
# What mount(8) knows of a tmpfs, without what gives its files rights (suid, dev).
_TMPFS_OPTIONS = ("exec", "gid", "mode", "noatime", "nodev", "noexec", "nosuid", "nr_inodes", "ro", "rw", "size", "uid")


def check_kind(resource: Resource) -> Iterator[str]:
    """Find what is of no known kind, or says what its kind may not."""
    if resource.type.startswith(_PROVIDER):
        yield from _check_provider(resource)
    elif (allowed := _ALLOWED.get(resource.type)) is not None:
        yield from _check_properties(resource, allowed)
    elif not _is_known(resource):
        yield f"type must be one that the pack knows, got {resource.type}"


def _is_known(resource: Resource) -> bool:
    """Tell whether all of a kind is judged elsewhere, or has no effect."""
    # A component is a name for what is below it, each of which is asked about.
    judged = (SERVICE, PLUGIN, SWARM_SERVICE, *SINGLE, "runyard:index:Certificate", "pulumi:pulumi:StackReference")
    package = resource.type.partition(":")[0]
    return resource.component or resource.type in judged or package in _OF_VALUES


def _check_provider(resource: Resource) -> Iterator[str]:
    """Find plugins that the toolchain does not bring, and settings by which one would work on another engine."""
    plugin = resource.type.removeprefix(_PROVIDER)
    if plugin not in _PLUGINS:
        yield f"provider must be one of {', '.join(_PLUGINS)}, got {plugin}"
    # Ours gets the project's own configuration, as both have one name, and takes none of it.
    for key in _other_keys(resource.properties, "version") if plugin != "runyard" else ():
        yield f"a provider must have no settings of its own, got {key}"


def _check_properties(resource: Resource, allowed: str) -> Iterator[str]:
    for key in _other_keys(resource.properties, allowed):
        yield f"property {key} must be left out, got it"
    for name, inner in _ALLOWED_WITHIN.get(resource.type, {}).items():
        found = {key for each in listed(resource.properties, name) for key in _other_keys(each, inner)}
        for key in sorted(found):
            yield f"property {name}.{key} must be left out, got it"
    if resource.type == NETWORK:
        if (driver := resource.properties.get("ipamDriver") or _IPAM_DRIVER) != _IPAM_DRIVER:
            yield f"ipamDriver must be {_IPAM_DRIVER}, got {driver}"
        for option in sorted((resource.properties.get("options") or {}).keys() - set(_NETWORK_OPTIONS)):
            yield f"options must be of {' or '.join(_NETWORK_OPTIONS)}, got {option}"
    if resource.type == CONTAINER:
        yield from _check_tmpfs(resource.properties)


def _check_tmpfs(properties: Properties) -> Iterator[str]:
    for path, options in sorted((properties.get("tmpfs") or {}).items()):
        names = [each.partition("=")[0] for each in str(options).split(",")]
        for name in names:
            if name not in _TMPFS_OPTIONS:
                yield f"tmpfs {path} must have options of {', '.join(_TMPFS_OPTIONS)}, got {name or 'none'}"
        if "size" not in names:
            yield f"tmpfs {path} must have a size, got none"


def _other_keys(given: Mapping[str, Any], allowed: str) -> list[str]:
    """List what is given beside what is allowed; what is empty says nothing."""
    known = {*allowed.split(), _NOTES}
    return [key for key in sorted(given) if key not in known and given[key]]
