"""Persistent volumes: the grammar of `runyard.dev/volumes`, which a tenant keeps beyond instances and revisions.

A volume is `NAME=SIZE:PATH`; several are separated by commas.
"""

from __future__ import annotations

import re

from runyard.manifest.problems import render_value
from runyard.manifest.volumes import PersistentVolume
from runyard.names import DNS_LABEL
from runyard.units import parse_bytes

ANNOTATION = "runyard.dev/volumes"
VOLUME_LIMIT = 10
RULE = "must be NAME=SIZE:PATH, such as data=10Gi:/var/lib/data"
# Less holds no file system; more is no disk of one host.
_LEAST_BYTES, _MOST_BYTES = 1024**2, 1024**5
# What makes a path fit to mount at is a rule of all mounts.
_VOLUME = re.compile(rf"(?P<name>{DNS_LABEL.pattern})=(?P<size>[^:=]+):(?P<path>/[^:]*)")


def parse_persistent_volumes(text: str) -> tuple[PersistentVolume, ...]:
    """Parse volumes in the order written; ValueError says which one breaks which rule."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > VOLUME_LIMIT:
        raise ValueError(f"must be at most {VOLUME_LIMIT} volumes, got {len(parts)}")
    volumes: dict[str, PersistentVolume] = {}
    for part in parts:
        volume = _parse_volume(part)
        if volume.name in volumes:
            raise ValueError(f"must name each volume once, got {volume.name} twice")
        volumes[volume.name] = volume
    return tuple(volumes.values())


def _parse_volume(text: str) -> PersistentVolume:
    match = _VOLUME.fullmatch(text)
    if match is None:
        raise ValueError(f"{RULE}, got {render_value(text)}")
    try:
        size = parse_bytes(match["size"])
    except ValueError:
        size = 0
    if not _LEAST_BYTES <= size <= _MOST_BYTES:
        raise ValueError(f"must have sizes of 1Mi to 1024Ti, such as 10Gi, got {render_value(match['size'])}")
    return PersistentVolume(match["name"], size, match["path"])
