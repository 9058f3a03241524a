"""Pins: the versions, addresses and checksums in pins.toml, for this machine's architecture."""

from __future__ import annotations

import platform
import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("pins.toml")


@dataclass(frozen=True)
class Release:
    """One official archive; an empty `url` means that there is none for this architecture."""

    version: str
    url: str = ""
    sha256: str = ""
    checksums: str = ""


@dataclass(frozen=True)
class Pins:
    """Everything that the toolchain may bring."""

    pulumi: Release
    docker_plugin: Release
    go_version: str
    go_minimum: str
    node_version: str
    node_minimum: str
    base_image: str
    base_suite: str


def load(path: Path = FILE, machine: str | None = None) -> Pins:
    """Load the pins for a machine's architecture, as `uname -m` names it (this one's by default)."""
    table = tomllib.loads(path.read_text())
    machine = machine or platform.machine()

    def release(name: str) -> Release:
        entry = table[name]
        version = entry["version"]
        archive = entry["archive"].get(machine, {})
        return Release(
            version=version,
            url=archive.get("url", "").format(version=version),
            sha256=archive.get("sha256", ""),
            checksums=entry["checksums"].format(version=version),
        )

    return Pins(
        pulumi=release("pulumi"),
        docker_plugin=release("docker-plugin"),
        go_version=table["go"]["version"],
        go_minimum=table["go"]["minimum"],
        node_version=table["node"]["version"],
        node_minimum=table["node"]["minimum"],
        base_image=table["base"]["image"],
        base_suite=table["base"]["suite"],
    )
