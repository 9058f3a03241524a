"""Rules of volumes and of the paths where containers mount them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from runyard.manifest.persistence import ANNOTATION
from runyard.manifest.problems import Findings, Path, render_value
from runyard.manifest.raw import (
    CONTAINERS,
    SERVICE_ANNOTATIONS,
    TEMPLATE_ANNOTATIONS,
    VOLUMES,
    Raw,
    all_containers,
    mapping_at,
    mappings_at,
    text_at,
)
from runyard.manifest.rules_persistence import find_persistent_volumes
from runyard.manifest.rules_resources import ingress_container, parse_limit, render_size
from runyard.manifest.schema import closest
from runyard.names import AUTHORITY_MOUNT, LAUNCHER_MOUNT
from runyard.units import parse_quantity

TMP_SIZE = "runyard.dev/tmp-size"
SOURCES = ("emptyDir", "secret", "configMap", "projected")
_REFUSED_SOURCES = (
    "csi",
    "nfs",
    "persistentVolumeClaim",
    "hostPath",
    "downwardAPI",
    "ephemeral",
    "cloudStorage",
    "gcsFuse",
)
# Docker separates mount options by colons and commas; control characters belong to no path that somebody meant.
_PATH_GRAMMAR = re.compile(r"[^\x00-\x1f\x7f:,\"'`$;{}\\]+")
_SYSTEM_PATHS = ("/dev", "/proc", "/sys", LAUNCHER_MOUNT, AUTHORITY_MOUNT)
# Volumes whose files are written before a container starts, each for itself.
_OF_FILES = ("secret", "configMap", "projected")
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
    by_name |= {volume.name: {} for volume in find_persistent_volumes(service)}
    containers = [container for _, container in mappings_at(service, *CONTAINERS)]
    ingress = ingress_container(containers)
    taken = _check_persistent_paths(service, findings)
    for place, container in all_containers(service):
        _check_mounts(container, place, by_name, dict(taken) if container is ingress else {}, findings)
    _check_sizes(volumes, containers, text_at(service, *TEMPLATE_ANNOTATIONS, TMP_SIZE), findings)


def _check_source(volume: Raw, path: Path, findings: Findings) -> None:
    given = [source for source in SOURCES if source in volume]
    refused = any(source in volume for source in _REFUSED_SOURCES)
    if len(given) > 1 or not (given or refused):
        message = f"must have one of {', '.join(SOURCES)}, got {' and '.join(given) or 'none'}"
        findings.error(path, "volumes.source", message)
    for index, source in mappings_at(volume, "projected", "sources"):
        if len(source.keys() & {"secret", "configMap"}) != 1 and not source.keys() - {"secret", "configMap"}:
            message = f"must have one of secret and configMap, got {'both' if source else 'neither'}"
            findings.error((*path, "projected", "sources", index), "volumes.source", message)
    _check_items(volume, path, findings)


def _items(volume: Raw) -> Iterator[tuple[Path, str]]:
    """Give the path of each file that a volume names, with its place in the volume."""
    sources: list[tuple[Path, Raw]] = [((), volume)]
    for index, source in mappings_at(volume, "projected", "sources"):
        sources.append((("projected", "sources", index), source))
    for place, source in sources:
        for kind in ("secret", "configMap"):
            for index, item in mappings_at(source, kind, "items"):
                yield (*place, kind, "items", index, "path"), text_at(item, "path")


def _check_items(volume: Raw, path: Path, findings: Findings) -> None:
    items = list(_items(volume))
    directories = {target[:end] for _, target in items for end, letter in enumerate(target) if letter == "/"}
    seen: set[str] = set()
    for place, target in items:
        if not target:
            continue  # the schema has told
        if not _is_below(target):
            message = f"must be relative and without .., got {render_value(target)}"
            findings.error((*path, *place), "volumes.item-path", message)
        elif target in seen:
            message = f"must be unique, got {render_value(target)} twice"
            findings.error((*path, *place), "volumes.item-path", message)
        elif target in directories:
            message = f"must not be the directory of another item, got {render_value(target)}"
            findings.error((*path, *place), "volumes.item-path", message)
        seen.add(target)


def _is_below(target: str) -> bool:
    """Tell whether a path leads below where it starts, without a detour."""
    return bool(_PATH_GRAMMAR.fullmatch(target)) and not {"", ".", ".."} & set(target.split("/"))


def _check_persistent_paths(service: Raw, findings: Findings) -> dict[str, str]:
    """Check where the persistent volumes are mounted, and give these paths with what has them."""
    taken: dict[str, str] = {}
    for volume in find_persistent_volumes(service):
        _check_mount_path(volume.path, (*SERVICE_ANNOTATIONS, ANNOTATION), taken, findings)
        taken.setdefault(posixpath.normpath(volume.path), ANNOTATION)
    return taken


def _check_mounts(
    container: Raw, base: Path, volumes: dict[str, Raw], taken: dict[str, str], findings: Findings
) -> None:
    for index, mount in mappings_at(container, "volumeMounts"):
        path = (*base, "volumeMounts", index)
        name, target = text_at(mount, "name"), text_at(mount, "mountPath")
        volume = volumes.get(name)
        if name and volume is None:
            message = f"must name a volume of this revision, got {render_value(name)}"
            findings.error((*path, "name"), "mounts.volume", message, closest(name, list(volumes)[:_HINTED_VOLUMES]))
        if volume is not None and mount.get("readOnly") is False and any(kind in volume for kind in _OF_FILES):
            message = "must be true for secrets, config maps and projections, got false"
            findings.error((*path, "readOnly"), "mounts.read-only", message)
        if target.startswith("/"):
            _check_mount_path(target, (*path, "mountPath"), taken, findings)
            taken.setdefault(posixpath.normpath(target), f"volumeMounts[{index}]")
        _check_sub_path(text_at(mount, "subPath"), volume or {}, (*path, "subPath"), findings)


def _check_sub_path(sub_path: str, volume: Raw, path: Path, findings: Findings) -> None:
    if not sub_path:
        return
    if not _is_below(sub_path):
        message = f"must be relative and without .., got {render_value(sub_path)}"
        findings.error(path, "mounts.sub-path", message)
        return
    # A single file would have to be laid over the image's own, which nobody may write.
    is_directory = any(target.startswith(sub_path + "/") for _, target in _items(volume))
    if any(kind in volume for kind in _OF_FILES) and not is_directory:
        message = f"must be a directory of the volume's items, got {render_value(sub_path)}"
        findings.error(path, "mounts.sub-path", message, "mount the volume and let the program read the file there")


def _check_mount_path(target: str, path: Path, taken: dict[str, str], findings: Findings) -> None:
    shown = render_value(target)
    normal = posixpath.normpath(target)
    if not _PATH_GRAMMAR.fullmatch(target) or ".." in target.split("/"):
        message = f"must be a path without .., quotes, colons, commas, braces and the like, got {shown}"
        findings.error(path, "mounts.path", message)
    elif normal.strip("/") == "":
        findings.error(path, "mounts.path", f"must not be the root directory, got {shown}")
    elif any(normal == system or normal.startswith(system + "/") for system in _SYSTEM_PATHS):
        findings.error(path, "mounts.path", f"must not be below {', '.join(_SYSTEM_PATHS)}, got {shown}")
    elif normal in taken:
        findings.error(path, "mounts.unique", f"must be unique in the container, got {shown} as in {taken[normal]}")


def _check_sizes(volumes: list[tuple[int, Raw]], containers: list[Raw], tmp_size: str, findings: Findings) -> None:
    memory = sum(parse_limit(container, "memory") or 0 for container in containers)
    sizes: list[tuple[Path, Any]] = [
        ((*VOLUMES, index, "emptyDir", "sizeLimit"), mapping_at(volume, "emptyDir").get("sizeLimit"))
        for index, volume in volumes
    ]
    for path, limit in (((*TEMPLATE_ANNOTATIONS, TMP_SIZE), tmp_size or None), *sizes):
        if limit is None:
            continue
        try:
            size = parse_quantity(str(limit))
        except ValueError:
            continue  # the schema has told
        if size % 1:
            findings.error(path, "volumes.size", f"must be a whole number of bytes, got {render_value(limit)}")
        elif size > memory > 0:
            message = f"must be at most the memory of all containers ({render_size(memory)}), got {render_value(limit)}"
            findings.error(path, "volumes.size", message, "it counts against memory")
