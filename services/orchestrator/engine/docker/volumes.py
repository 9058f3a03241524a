"""Volumes: what Docker has to have before an instance's containers are made."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from runyard import names
from services.orchestrator.engine.docker.client import DockerClient
from services.orchestrator.engine.port import Refused
from services.orchestrator.model.parts import mounted_parts
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.volumes import volume_name


async def make_volumes(docker: DockerClient, revision: Revision, instance: str) -> None:
    """Make the volumes that an instance mounts and that are not there; Refused if somebody else has such a name."""
    mountpoints: dict[str, str] = {}
    for volume, name, labels, options in _whole(revision, instance):
        mountpoints[volume] = await _make(docker, name, labels, options)
    for volume, sub_path in mounted_parts(revision.spec):
        name = volume_name(revision, volume, sub_path, instance)
        device = posixpath.join(mountpoints[volume], sub_path)
        options = {"type": "none", "o": "bind", "device": device}
        await _make(docker, name, _scratch_labels(revision, instance), options)


def _whole(revision: Revision, instance: str) -> Iterator[tuple[str, str, Mapping[str, str], Mapping[str, str]]]:
    spec = revision.spec
    for each in spec.volumes:
        name = volume_name(revision, each.name, "", instance)
        if each.kind == "persistent":
            labels = {names.STACK: spec.stack, names.TENANT: spec.tenant, names.ROLE: names.ROLE_DATA}
            yield each.name, name, labels, {}
        else:
            # Mode 1777 as /tmp has, so that any user of any image can write.
            options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={each.size_bytes},mode=1777,nosuid,nodev"}
            yield each.name, name, _scratch_labels(revision, instance), options


def _scratch_labels(revision: Revision, instance: str) -> Mapping[str, str]:
    return {
        names.STACK: revision.spec.stack,
        names.TENANT: revision.tenant,
        names.SERVICE: revision.service,
        names.REVISION: revision.name,
        names.ROLE: names.ROLE_SCRATCH,
        names.INSTANCE: instance,
    }


async def _make(docker: DockerClient, name: str, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
    """Make a volume and give its place on the host; the engine gives one that is there as it is."""
    found = await docker.create_volume(name, labels, options)
    if (found.get("Labels") or {}, found.get("Options") or {}) != (labels, options):
        raise Refused(f"volume {name}: is there already and is not of this stack's making; remove it or rename it")
    return str(found["Mountpoint"])
