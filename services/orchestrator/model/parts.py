"""Parts: the containers that an instance consists of, in the order in which they start. Pure.

Most instances are the containers of their document. Where something must happen before those start, helpers that run
the launcher alone come first: one that owns the network and holds the memory that containers share, one that makes
volumes fit to be mounted, and one that holds the directories of volumes that are mounted by themselves.

A directory is held before anything of the tenant's runs. The engine mounts it by its path on the host and follows
links; once it is held, whatever an instance puts in its place is not what the others get.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runyard import names
from runyard.contracts import ContainerDocument, RevisionDocument, VolumeMount
from services.orchestrator.model.launch import LAUNCH

Role = Literal["app", "init", "holder"]

# The launcher takes some two; what the engine's runtime needs to start it counts as well.
_HELPER_BYTES = 32 * 1024 * 1024
_HELPER_PIDS = 32
# Any user can execute the launcher; this one (nobody) owns nothing in any image.
_NOBODY = "65534:65534"
_ROOT = "0:0"


@dataclass(frozen=True, slots=True)
class Part:
    """One container of an instance: `init` ones run to their end, `holder` ones as long as the instance."""

    role: Role
    document: ContainerDocument


def parts_of(spec: RevisionDocument) -> tuple[Part, ...]:
    """Give all containers of an instance in start order; the first `app` is the one that takes requests."""
    found: list[Part] = []
    shared = [each.name for each in spec.volumes if each.kind == "shared"]
    if spec.init_containers or shared:
        mounts = [VolumeMount(each, _place(each), read_only=True) for each in shared]
        found.append(Part("holder", _helper(spec, names.HOLDER, ("hold",), mounts, _NOBODY)))
    prepared = prepared_volumes(spec)
    if prepared:
        mounts = [VolumeMount(each, _place(each)) for each in prepared]
        told = [word for each, parts in prepared.items() for word in (_place(each), *parts)]
        found.append(Part("init", _helper(spec, names.PREPARER, ("prepare", *told), mounts, _ROOT)))
    mounts = [
        VolumeMount(volume, f"/volumes/{number}", read_only=True, sub_path=sub_path)
        for number, (volume, sub_path) in enumerate(mounted_parts(spec))
    ]
    if mounts:
        found.append(Part("holder", _helper(spec, names.PARTS_HOLDER, ("hold",), mounts, _NOBODY)))
    found += [Part("init", each) for each in spec.init_containers]
    return (*found, *(Part("app", each) for each in start_order(spec.containers)))


def mounted_parts(spec: RevisionDocument) -> tuple[tuple[str, str], ...]:
    """Give the directories of volumes that are mounted by themselves, as volume and path, each once and in order."""
    return tuple(sorted({(each.volume, each.sub_path) for each in _mounts(spec) if each.sub_path}))


def prepared_volumes(spec: RevisionDocument) -> dict[str, tuple[str, ...]]:
    """Map the volumes that must be made fit before they are mounted to their directories that must be there."""
    parts = mounted_parts(spec)
    persistent = {each.name for each in spec.volumes if each.kind == "persistent"}
    wanted = sorted({each.volume for each in _mounts(spec) if each.volume in persistent or each.sub_path})
    return {name: tuple(sub_path for volume, sub_path in parts if volume == name) for name in wanted}


def data_volumes(spec: RevisionDocument) -> tuple[str, ...]:
    """Name the engine's volumes that a revision's instances write to and that stay after them; each has one writer."""
    kept = [each.name for each in spec.volumes if each.kind == "persistent"]
    return tuple(sorted(names.persistent_volume(spec.stack, spec.tenant, each) for each in kept))


def start_order(containers: Iterable[ContainerDocument]) -> tuple[ContainerDocument, ...]:
    """Order containers so that each comes after those it depends on, and otherwise as they are declared."""
    waiting, ordered = list(containers), list[ContainerDocument]()
    while waiting:
        done = {each.name for each in ordered}
        # The manifest reader refuses cycles; should one come all the same, the first in line goes first.
        chosen = next((each for each in waiting if done.issuperset(each.depends_on)), waiting[0])
        waiting.remove(chosen)
        ordered.append(chosen)
    return tuple(ordered)


def _mounts(spec: RevisionDocument) -> list[VolumeMount]:
    return [mount for each in (*spec.init_containers, *spec.containers) for mount in each.volume_mounts]


def _place(volume: str) -> str:
    return f"/volumes/{volume}"


def _helper(
    spec: RevisionDocument, name: str, words: tuple[str, ...], mounts: list[VolumeMount], user: str
) -> ContainerDocument:
    """Describe a helper; it has the first container's image because that is here, and runs nothing of it."""
    return ContainerDocument(
        name=name,
        image=spec.containers[0].image,
        entrypoint=(LAUNCH, *words),
        working_dir="/",
        user=user,
        memory_bytes=_HELPER_BYTES,
        pids_limit=_HELPER_PIDS,
        volume_mounts=tuple(mounts),
    )
