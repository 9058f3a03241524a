"""Volumes of a revision: what its containers mount, as its document has it.

An emptyDir that one container has at one place is memory of its own. Where several have it, or one in several places,
in part or to read only, it is a volume that the instance's containers share. Files of secrets are written for each
container before its program starts.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from runyard import names
from runyard.contracts import FilesMount, MemoryMount, SecretFile, VolumeDocument, VolumeMount
from runyard.manifest.model import Container, Service, Volume
from runyard.manifest.model import VolumeMount as Mount
from runyard.plan.secret import Digests, files_of, secret_value

_TMP = "/tmp"  # noqa: S108 - a path inside the instance


@dataclass(frozen=True, slots=True)
class Mounts:
    """What one container mounts, each kind by path."""

    memory: tuple[MemoryMount, ...] = ()
    files: tuple[FilesMount, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()


def plan_volumes(service: Service) -> tuple[VolumeDocument, ...]:
    """Plan the volumes that are more than one container's own, by name; one that nobody mounts is none."""
    template = service.template
    shared = _shared(service)
    found = [
        VolumeDocument(each.name, "shared", each.size_limit_bytes or template.memory_bytes)
        for each in template.volumes
        if each.name in shared
    ]
    found += [VolumeDocument(each.name, "persistent", each.size_bytes) for each in service.persistent_volumes]
    return tuple(sorted(found, key=lambda each: each.name))


def plan_mounts(service: Service, container: Container, digests: Digests, *, trusting: bool = False) -> Mounts:
    """Plan what a container mounts: /tmp always, then what it names; the ingress container has the persistent ones.

    One that is `trusting` has the certificate of the CA of `.internal`, where nothing else of it may be.
    """
    volumes = {each.name: each for each in service.template.volumes}
    shared, persistent = _shared(service), {each.name for each in service.persistent_volumes}
    memory = {_TMP: MemoryMount(_TMP, service.template.tmp_bytes)}
    files: dict[str, FilesMount] = {}
    parts: dict[str, VolumeMount] = {}
    if container.port is not None:
        own = [VolumeMount(each.name, _plain(each.path)) for each in service.persistent_volumes]
        parts = {each.path: each for each in own}
    for mount in container.volume_mounts:
        path, volume = _plain(mount.path), volumes.get(mount.name)
        if mount.name in shared or mount.name in persistent:
            parts[path] = VolumeMount(mount.name, path, mount.read_only, mount.sub_path)
        elif volume is not None and volume.kind == "emptyDir":
            memory[path] = MemoryMount(path, volume.size_limit_bytes or container.memory_bytes)
        elif volume is not None:
            files[path] = FilesMount(path, tuple(_files(volume, mount, digests)))
    if trusting:
        files[names.AUTHORITY_MOUNT] = FilesMount(names.AUTHORITY_MOUNT, authority=True)
    if _TMP in files or _TMP in parts:
        del memory[_TMP]
    return Mounts(
        memory=tuple(memory[each] for each in sorted(memory)),
        files=tuple(files[each] for each in sorted(files)),
        volumes=tuple(parts[each] for each in sorted(parts)),
    )


def _shared(service: Service) -> frozenset[str]:
    """Name the emptyDir volumes that are not simply one container's memory at one place."""
    empty = {each.name for each in service.template.volumes if each.kind == "emptyDir"}
    mounts = [each for holder in service.template.all_containers for each in holder.volume_mounts]
    count = Counter(each.name for each in mounts)
    return frozenset(
        each.name for each in mounts if each.name in empty and (count[each.name] > 1 or each.read_only or each.sub_path)
    )


def _files(volume: Volume, mount: Mount, digests: Digests) -> Iterator[SecretFile]:
    """Give the files of a volume, or those of one of its directories, by path; of one path the last source counts."""
    found: dict[str, SecretFile] = {}
    below = f"{mount.sub_path}/" if mount.sub_path else ""
    for source in volume.sources:
        for item in files_of(source, digests):
            if item.path.startswith(below):
                path = item.path.removeprefix(below)
                mode = volume.default_mode if item.mode is None else item.mode
                found[path] = SecretFile(path, secret_value(source.kind, source.name, item.key, digests), mode)
    yield from (found[path] for path in sorted(found))


def _plain(path: str) -> str:
    """Spell a path as the engine gives it back: `//a/` is `/a`."""
    return "/" + posixpath.normpath(path).lstrip("/")
