"""Volumes of a manifest: what each is made of, and where containers have it; sizes are in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runyard.manifest.values import Source


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A volume at an absolute path of one container."""

    name: str
    path: str
    read_only: bool = True
    sub_path: str = ""


@dataclass(frozen=True, slots=True)
class VolumeItem:
    """One key of a secret or config map as a file of a volume; `mode` is None for the volume's default."""

    key: str
    path: str
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class FileSource:
    """A secret or config map as files of a volume: those of its keys that `items` names, or all."""

    kind: Source
    name: str
    items: tuple[VolumeItem, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a revision; which fields count depends on `kind`.

    Of two sources' files of one path the later counts. A size limit of None is the memory of an instance.
    """

    name: str
    kind: Literal["emptyDir", "secret", "configMap", "projected"]
    sources: tuple[FileSource, ...] = ()
    default_mode: int = 0o444
    size_limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PersistentVolume:
    """A volume of a tenant that outlives instances and revisions; `path` is where the ingress container has it."""

    name: str
    size_bytes: int
    path: str
