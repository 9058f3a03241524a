"""Volumes: the engine's names of those that an instance mounts. Pure."""

from __future__ import annotations

from runyard import names
from services.orchestrator.model.parts import mounted_parts
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
