"""Survey of a host: what its engine tells of itself, and where that is this machine, what its files do."""

from __future__ import annotations

import contextlib
import grp
import gzip
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.host.address import USUAL
from runyard.host.engine import translated
from runyard.host.transport import Transport

_SOCKET = "unix://"
_CONFIGURATION = "/etc/docker/daemon.json"
_AUDIT = ("/etc/audit/audit.rules", "/etc/audit/rules.d/*.rules")
# Debian's names, and those of Docker's own packages.
_PACKAGES = {"engine": ("docker.io", "docker-ce"), "runc": ("runc", "containerd.io")}


@dataclass(frozen=True, slots=True)
class Machine:
    """What only files of the engine's machine tell; None stands for what this user may not read.

    `settings` are those of the engine's configuration file and command line; `audit` are the lines of audit rules;
    `changelogs` are those of the packages of `engine` and `runc`; `members` are of the socket's group.
    """

    settings: Mapping[str, Any] | None
    audit: tuple[str, ...] | None
    socket: str
    socket_mode: int
    socket_owner: int
    members: tuple[str, ...] = ()
    changelogs: Mapping[str, str] = field(default_factory=dict)
    disk_free_bytes: int | None = None
    disk_bytes: int | None = None
    # Whether what the engine keeps is on a file system of its own.
    disk_apart: bool = False


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a host: the engine's own answers, and its machine's files if that is this one."""

    info: Mapping[str, Any]
    version: Mapping[str, Any]
    bridge: Mapping[str, Any]
    content_trust: bool
    machine: Machine | None = None

    def component(self, name: str) -> str:
        """Give the version of a component of the engine, empty if it tells none."""
        found = [each for each in self.version.get("Components") or () if each.get("Name") == name]
        return str(found[0].get("Version") or "") if found else ""


def observe_survey(root: Path = Path("/")) -> Survey:
    """Ask the engine that DOCKER_HOST names, and read this machine's files below `root` if it is on this machine.

    HostUnreachable if no engine answers.
    """
    with translated("ask the Docker engine about its host"), closing(Transport()) as transport:
        info, version, bridge = (
            transport.request("GET", path).checked().json() for path in ("/info", "/version", "/networks/bridge")
        )
    address = os.environ.get("DOCKER_HOST") or USUAL
    machine = None
    if address.startswith(_SOCKET):
        machine = observe_machine(Path(address.removeprefix(_SOCKET)), str(info.get("DockerRootDir") or ""), root)
    return Survey(info, version, bridge, os.environ.get("DOCKER_CONTENT_TRUST") == "1", machine)


def observe_machine(socket: Path, data: str, root: Path = Path("/")) -> Machine:
    """Read what the machine's files below `root` tell of the engine at `socket`, which keeps what it has in `data`."""
    # Where it leads: /var/run is a link.
    found = socket.resolve().stat()
    usage, apart = _disk(Path(data))
    return Machine(
        settings=_settings(root),
        audit=_audit(root),
        socket=str(socket),
        socket_mode=stat.S_IMODE(found.st_mode),
        socket_owner=found.st_uid,
        members=_members(found.st_gid),
        changelogs={name: _changelog(root, packages) for name, packages in _PACKAGES.items()},
        disk_free_bytes=usage[0] if usage else None,
        disk_bytes=usage[1] if usage else None,
        disk_apart=apart,
    )


def _settings(root: Path) -> Mapping[str, Any] | None:
    """Read the engine's configuration file, and what its command line says instead."""
    arguments = _arguments(root)
    flags = dict(_flags(arguments))
    file = root / str(flags.get("config-file") or _CONFIGURATION).lstrip("/")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        settings = {}
    except (OSError, ValueError):
        return None
    return {**settings, **flags} if isinstance(settings, dict) else None


def _arguments(root: Path) -> Sequence[str]:
    for each in sorted(root.glob("proc/[0-9]*/cmdline")):
        with contextlib.suppress(OSError):
            words = each.read_bytes().decode(errors="replace").split("\0")
            if words[0].rpartition("/")[2] == "dockerd":
                return words[1:]
    return ()


def _flags(arguments: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Read `--name=value` and `--name`; a value that stands apart is of no setting that is asked for here."""
    for each in arguments:
        name, given, value = each.removeprefix("--").partition("=")
        if each.startswith("--"):
            yield name, {"true": True, "false": False}.get(value, value) if given else True


def _audit(root: Path) -> tuple[str, ...] | None:
    lines: list[str] = []
    try:
        for pattern in _AUDIT:
            for file in sorted(root.glob(pattern.lstrip("/"))):
                lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
        # A directory that may not be listed gives no files, and no error.
        if (root / "etc/audit").is_dir() and not os.access(root / "etc/audit", os.R_OK | os.X_OK):
            return None
    except OSError:
        return None
    return tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _members(group: int) -> tuple[str, ...]:
    try:
        found = grp.getgrgid(group)
    except KeyError:
        return ()
    # Whoever is in group root is asked about elsewhere.
    return tuple(sorted(found.gr_mem)) if group else ()


def _changelog(root: Path, packages: Sequence[str]) -> str:
    for package in packages:
        for name in ("changelog.Debian.gz", "changelog.gz"):
            with contextlib.suppress(OSError, EOFError):
                return gzip.decompress((root / "usr/share/doc" / package / name).read_bytes()).decode(errors="replace")
    return ""


def _disk(data: Path) -> tuple[tuple[int, int] | None, bool]:
    """Give free and all bytes of the file system of a directory, and whether the directory is its root."""
    try:
        usage = shutil.disk_usage(data)
    except OSError:
        return None, False
    return (usage.free, usage.total), os.path.ismount(data)
