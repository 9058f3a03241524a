"""Mounts of a container resource: what it sees of the host, of other containers, and of volumes by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies.property import Properties


def listed(properties: Properties, key: str) -> list[Mapping[str, Any]]:
    """List what stands under a key; nothing where it is left out."""
    return list(properties.get(key) or ())


def host_paths(properties: Properties) -> Iterator[str]:
    """Give every path of the host that is mounted, in each of the three ways that the provider knows."""
    return (path for path, _ in host_mounts(properties))


def host_mounts(properties: Properties) -> Iterator[tuple[str, bool]]:
    """Give every path of the host that is mounted, and whether it is a volume that is only read where it is."""
    for volume in listed(properties, "volumes"):
        if volume.get("hostPath"):
            path = _normal(str(volume["hostPath"]))
            yield path, volume.get("readOnly") is True and volume.get("containerPath") == path
        elif str(volume.get("volumeName") or "").startswith("/"):
            yield _normal(str(volume["volumeName"])), False
    for mount in listed(properties, "mounts"):
        if mount.get("type") == "bind":
            yield _normal(str(mount.get("source"))), False


def lenders_of(properties: Properties) -> Iterator[str]:
    """Name the containers whose mounts it takes, all of them at once."""
    for volume in listed(properties, "volumes"):
        if volume.get("fromContainer"):
            yield str(volume["fromContainer"])


def volumes_of(properties: Properties) -> Iterator[str]:
    """Name the volumes that it mounts, in each of the two ways that the provider knows."""
    for key, source in (("volumes", "volumeName"), ("mounts", "source")):
        for each in listed(properties, key):
            if each.get(source):
                yield str(each[source])


def drivers_of(properties: Properties) -> Iterator[str]:
    """Tell what makes a mount something else than a plain volume, a tmpfs or a path of the host."""
    for mount in listed(properties, "mounts"):
        if mount.get("type") not in ("bind", "tmpfs", "volume"):
            yield f"type {mount.get('type')}"
        options = mount.get("volumeOptions") or {}
        if (options.get("driverName") or "local") != "local":
            yield f"driverName {options['driverName']}"
        if options.get("driverOptions"):
            yield f"driverOptions {', '.join(sorted(options['driverOptions']))}"


def _normal(path: str) -> str:
    """Give a path without doubled slashes and dots, so that no spelling of the socket passes for another file."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
