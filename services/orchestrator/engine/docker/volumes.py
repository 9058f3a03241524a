"""Volumes: what the engine has to have before an instance's containers are made, and what of it goes with them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from runyard import names
from runyard.errors import HostError
from services.orchestrator.engine.port import Engine, Refused
from services.orchestrator.model.parts import data_volumes, mounted_parts
from services.orchestrator.model.revision import Revision


def scratch_volumes(revision: Revision, instance: str) -> tuple[str, ...]:
    """Name the engine's volumes that go with an instance."""
    spec = revision.spec
    shared = [volume_name(revision, each.name, "", instance) for each in spec.volumes if each.kind == "shared"]
    return (*shared, *(volume_name(revision, *each, instance) for each in mounted_parts(spec)))


def volume_name(revision: Revision, volume: str, sub_path: str, instance: str) -> str:
    """Name the engine's volume that an instance mounts for a volume of its document, or for a directory of it."""
    spec = revision.spec
    place = (spec.stack, spec.tenant, spec.name)
    if sub_path:
        return names.part_volume(*place, (volume, sub_path), instance)
    if any(each.name == volume and each.kind == "persistent" for each in spec.volumes):
        return names.persistent_volume(spec.stack, spec.tenant, volume)
    return names.instance_volume(*place, volume, instance)


async def make_volumes(engine: Engine, revision: Revision, instance: str) -> None:
    """Make the volumes that an instance mounts and that are not there.

    Refused if somebody else has such a name, HostError while another container has what has one writer.
    """
    mountpoints: dict[str, str] = {}
    for name in data_volumes(revision.spec):
        # The book knows of no other writer; one that a lost book had, or a stranger, is told by the engine alone.
        users = await engine.users(name)
        if users:
            raise HostError(f"volume {name}: has one writer, and container {users[0]} has it")
    for volume, name, labels, options in _whole(revision, instance):
        mountpoints[volume] = await _make(engine, name, labels, options)
    for volume, sub_path in mounted_parts(revision.spec):
        name = volume_name(revision, volume, sub_path, instance)
        device = posixpath.join(mountpoints[volume], sub_path)
        options = {"type": "none", "o": "bind", "device": device}
        await _make(engine, name, _scratch_labels(revision, instance), options)


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


async def _make(engine: Engine, name: str, labels: Mapping[str, str], options: Mapping[str, str]) -> str:
    """Make a volume and give its place on the host; the engine gives one that is there as it is."""
    found = await engine.create_volume(name, labels, options)
    if (found.get("Labels") or {}, found.get("Options") or {}) != (labels, options):
        raise Refused(f"volume {name}: is there already and is not of this stack's making; remove it or rename it")
    return str(found["Mountpoint"])
