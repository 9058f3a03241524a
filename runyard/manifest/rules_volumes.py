"""Rules of volumes and of the paths where containers mount them."""

from __future__ import annotations

import posixpath
import re

from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import CONTAINERS, VOLUMES, Raw, mapping_at, mappings_at, text_at
from runyard.manifest.rules_resources import parse_limit, render_size
from runyard.manifest.schema import closest
from runyard.units import parse_quantity

SOURCES = ("emptyDir", "secret", "configMap", "projected", "nfs")
_REFUSED_SOURCES = ("csi", "persistentVolumeClaim", "hostPath", "downwardAPI", "ephemeral", "cloudStorage", "gcsFuse")
# Docker separates mount options by colons and commas; control characters belong to no path that somebody meant.
_PATH_GRAMMAR = re.compile(r"[^\x00-\x1f\x7f:,\"'`$;{}\\]+")
_SYSTEM_PATHS = ("/dev", "/proc", "/sys")
# The schema allows no more, but a manifest that breaks it is still told of its mounts.
_HINTED_VOLUMES = 50


def check_volumes(service: Raw, findings: Findings) -> None:
    """Check volumes, their sources, and the mounts of every container."""
    volumes = list(mappings_at(service, *VOLUMES))
    by_name: dict[str, Raw] = {}
    for index, volume in volumes:
        path = (*VOLUMES, index)
        name = text_at(volume, "name")
        if name and name in by_name:
            findings.error((*path, "name"), "volumes.unique", f"must be unique, got {render_value(name)} twice")
        by_name.setdefault(name, volume)
        _check_source(volume, path, findings)
    containers = list(mappings_at(service, *CONTAINERS))
    for index, container in containers:
        _check_mounts(container, (*CONTAINERS, index), by_name, findings)
    _check_sizes(volumes, [container for _, container in containers], findings)


def _check_source(volume: Raw, path: Path, findings: Findings) -> None:
    given = [source for source in SOURCES if source in volume]
    refused = any(source in volume for source in _REFUSED_SOURCES)
    if len(given) > 1 or not (given or refused):
        message = f"must have one of {', '.join(SOURCES)}, got {' and '.join(given) or 'none'}"
        findings.error(path, "volumes.source", message)
    for source in ("secret", "configMap"):
        seen: set[str] = set()
        for index, item in mappings_at(volume, source, "items"):
            target = text_at(item, "path")
            place = (*path, source, "items", index, "path")
            if target.startswith("/") or ".." in target.split("/"):
                message = f"must be relative and without .., got {render_value(target)}"
                findings.error(place, "volumes.item-path", message)
            elif target in seen:
                findings.error(place, "volumes.item-path", f"must be unique, got {render_value(target)} twice")
            seen.add(target)


def _check_mounts(container: Raw, base: Path, volumes: dict[str, Raw], findings: Findings) -> None:
    seen: dict[str, int] = {}
    for index, mount in mappings_at(container, "volumeMounts"):
        path = (*base, "volumeMounts", index)
        name, target = text_at(mount, "name"), text_at(mount, "mountPath")
        volume = volumes.get(name)
        if name and volume is None:
            message = f"must name a volume of this revision, got {render_value(name)}"
            findings.error((*path, "name"), "mounts.volume", message, closest(name, list(volumes)[:_HINTED_VOLUMES]))
        if volume is not None and mount.get("readOnly") is False and ("secret" in volume or "configMap" in volume):
            findings.error(
                (*path, "readOnly"), "mounts.read-only", "must be true for secrets and config maps, got false"
            )
        if target.startswith("/"):
            _check_mount_path(target, (*path, "mountPath"), seen, findings)
            seen.setdefault(posixpath.normpath(target), index)
        sub_path = text_at(mount, "subPath")
        if sub_path.startswith("/") or ".." in sub_path.split("/"):
            message = f"must be relative and without .., got {render_value(sub_path)}"
            findings.error((*path, "subPath"), "mounts.sub-path", message)


def _check_mount_path(target: str, path: Path, seen: dict[str, int], findings: Findings) -> None:
    shown = render_value(target)
    normal = posixpath.normpath(target)
    if not _PATH_GRAMMAR.fullmatch(target) or ".." in target.split("/"):
        message = f"must be a path without .., quotes, colons, commas, braces and the like, got {shown}"
        findings.error(path, "mounts.path", message)
    elif normal.strip("/") == "":
        findings.error(path, "mounts.path", f"must not be the root directory, got {shown}")
    elif any(normal == system or normal.startswith(system + "/") for system in _SYSTEM_PATHS):
        findings.error(path, "mounts.path", f"must not be below {', '.join(_SYSTEM_PATHS)}, got {shown}")
    elif normal in seen:
        message = f"must be unique in the container, got {shown} as in volumeMounts[{seen[normal]}]"
        findings.error(path, "mounts.unique", message)


def _check_sizes(volumes: list[tuple[int, Raw]], containers: list[Raw], findings: Findings) -> None:
    memory = sum(parse_limit(container, "memory") or 0 for container in containers)
    for index, volume in volumes:
        limit = mapping_at(volume, "emptyDir").get("sizeLimit")
        if limit is None:
            continue
        path = (*VOLUMES, index, "emptyDir", "sizeLimit")
        try:
            size = parse_quantity(str(limit))
        except ValueError:
            continue  # the schema has told
        if size % 1:
            findings.error(path, "volumes.size", f"must be a whole number of bytes, got {render_value(limit)}")
        elif size > memory > 0:
            message = f"must be at most the memory of all containers ({render_size(memory)}), got {render_value(limit)}"
            findings.error(path, "volumes.size", message, "an emptyDir counts against memory")
