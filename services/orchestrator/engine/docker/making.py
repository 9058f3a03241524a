"""Making: the engine's configuration of an instance's container, from its document. Pure.

Hardening is ours in every field and has no word in a document, so whatever is signed makes a confined container; but
that its root can be written, which a document may say where the Platform allows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from runyard import names
from runyard.contracts import ContainerDocument
from services.orchestrator.engine.docker.images import Image
from services.orchestrator.engine.docker.json import Json
from services.orchestrator.engine.docker.seccomp import SECURITY_OPTION
from services.orchestrator.model.entry import BookEntry
from services.orchestrator.model.launch import LAUNCH, has_secrets
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.volumes import volume_name

# Ten megabytes thrice: enough for last lines, and a thousand chatty instances do not fill the disk.
LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
# Bounded against leaks, and below the hard limit of a daemon that may not raise its own (20,000 seen).
MAX_OPEN_FILES = 10_000
# The kernel's default period of the CFS bandwidth controller (Documentation/scheduler/sched-bwc).
CPU_PERIOD_US = 100_000
_CORE_MILLIS = 1000
# The kernel's shares of a core, and the least and the most that it takes (kernel/sched/sched.h).
_CORE_SHARES, _LEAST_SHARES, _MOST_SHARES = 1024, 2, 262_144
# Docker's own default, said so that a container with another one is told apart.
SHARED_MEMORY_BYTES = 64 * 1024 * 1024
# As much as a secret may have in the clouds' vaults, for each file.
FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a container lives: an address of its own, the namespace of the container `owner`, or without a network."""

    instance: str
    address: str = ""
    owner: str = ""


def placement_of(entry: BookEntry, revision: Revision, container: str) -> Placement:
    """Give where a container of an instance in the book lives."""
    if container == revision.owner:
        return Placement(entry.instance, address=entry.address)
    if container in (names.PREPARER, names.PARTS_HOLDER):
        return Placement(entry.instance)
    owner = next((each.id for each in entry.containers if each.container == revision.owner), "")
    return Placement(entry.instance, owner=owner)


def container_config(revision: Revision, container: ContainerDocument, placement: Placement, image: Image) -> Json:
    """Describe a container to the engine, with all that its image would add; equal arguments, equal descriptions."""
    launched = has_secrets(container)
    entrypoint, command = _process(container, image)
    return {
        "Image": image.id,
        "Entrypoint": [LAUNCH] if launched else entrypoint,
        "Cmd": ["--", *entrypoint, *command] if launched else command,
        "Env": _environment(revision, container, image),
        "WorkingDir": container.working_dir or image.working_dir,
        "User": container.user or image.user,
        "Labels": _labels(revision, container, placement.instance, image),
        # Docker's own health check would only do again what the orchestrator's probes do.
        "Healthcheck": {"Test": ["NONE"]},
        "Tty": False,
        # Standard input carries the secrets, once, and ends with the one connection that brings them.
        "AttachStdin": launched,
        "OpenStdin": launched,
        "StdinOnce": launched,
        **_place(revision, placement, _host_config(revision, container, placement.instance, image)),
    }


def _process(container: ContainerDocument, image: Image) -> tuple[list[str], list[str]]:
    """Give entrypoint and command as Docker joins them: an entrypoint of one's own takes the image's command away."""
    if container.entrypoint:
        return list(container.entrypoint), list(container.command)
    return list(image.entrypoint), list(container.command or image.command)


def _environment(revision: Revision, container: ContainerDocument, image: Image) -> list[str]:
    """List the variables by name; values of secrets are the launcher's to bring and stand nowhere."""
    plain = {each.name: each.value for each in container.environment if each.secret is None}
    # The revision's name is a hash of the rest, so it is no part of the document.
    merged = {**image.environment, **plain, "K_REVISION": revision.name}
    return [f"{name}={value}" for name, value in sorted(merged.items())]


def _labels(revision: Revision, container: ContainerDocument, instance: str, image: Image) -> dict[str, str]:
    return {
        **image.labels,
        **revision.spec.labels,
        names.STACK: revision.spec.stack,
        names.TENANT: revision.tenant,
        names.SERVICE: revision.service,
        names.REVISION: revision.name,
        names.ROLE: revision.role,
        names.CONTAINER: container.name,
        names.INSTANCE: instance,
    }


def _host_config(revision: Revision, container: ContainerDocument, instance: str, image: Image) -> Json:
    # One that prepares volumes runs our program alone, and must get into directories that their users have closed.
    added = {"CapAdd": ["CAP_DAC_OVERRIDE"]} if container.name == names.PREPARER else {}
    return {
        **added,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", SECURITY_OPTION],
        "ReadonlyRootfs": not container.writable_root,
        "Privileged": False,
        "IpcMode": "private",
        "ShmSize": SHARED_MEMORY_BYTES,
        "Memory": container.memory_bytes,
        # Equal to memory: no swap, so a limit is a limit.
        "MemorySwap": container.memory_bytes,
        "CpuPeriod": CPU_PERIOD_US,
        "CpuQuota": cpu_quota(container.startup_cpu_millis or container.cpu_millis),
        "CpuShares": _cpu_shares(container.cpu_weight_millis),
        "PidsLimit": container.pids_limit,
        "Ulimits": [
            # A core dump goes where the host's core_pattern says, outside of every limit of ours. To the kernel a
            # limit of 1 byte is none to a file and none to a program; 0 would let a program have it (core(5)).
            {"Name": "core", "Soft": 1, "Hard": 1},
            {"Name": "nofile", "Soft": MAX_OPEN_FILES, "Hard": MAX_OPEN_FILES},
        ],
        # The orchestrator restarts instances; an engine that did so too would bring a withdrawn one back.
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        # Empty is the engine's default; one that it does not have it refuses by name.
        "Runtime": revision.spec.runtime,
        "LogConfig": LOG_CONFIG,
        "Tmpfs": _memory(container, image),
        "Mounts": _mounts(revision, container, instance),
    }


def cpu_quota(millis: int) -> int:
    """Turn thousandths of a core into the microseconds of each period that a container may run."""
    return millis * CPU_PERIOD_US // _CORE_MILLIS


def _cpu_shares(millis: int) -> int:
    """Turn thousandths of a core into shares as kubelet does (MilliCPUToShares); 0 is one core, as by default."""
    return 0 if millis == _CORE_MILLIS else min(max(_LEAST_SHARES, millis * _CORE_SHARES // _CORE_MILLIS), _MOST_SHARES)


def _memory(container: ContainerDocument, image: Image) -> dict[str, str]:
    """Map paths to memory: the document's own, and whatever the image declares as a VOLUME.

    Docker would make an anonymous volume there: a writable place on the host's disk without a limit, in a container
    whose root is read-only. Memory counts against the instance's own limit, as on Cloud Run.
    """
    # Mode 1777 as /tmp has everywhere, so that any user of the image can write.
    options = "rw,nosuid,nodev,mode=1777,size={}"
    mounted = {each.path for each in container.volume_mounts}
    found = {path: options.format(container.memory_bytes) for path in image.volumes if path not in mounted}
    found |= {each.path: options.format(each.size_bytes) for each in container.memory_mounts}
    return found | {each.path: options.format(FILE_BYTES * max(1, len(each.files))) for each in container.file_mounts}


def _mounts(revision: Revision, container: ContainerDocument, instance: str) -> list[Json]:
    found = [
        _volume(volume_name(revision, each.volume, each.sub_path, instance), each.path, read_only=each.read_only)
        for each in container.volume_mounts
    ]
    if has_secrets(container) or container.name in names.HELPERS:
        launcher = names.platform_volume(revision.spec.stack, "launcher")
        found.append(_volume(launcher, names.LAUNCHER_MOUNT, read_only=True))
    return found


def _volume(source: str, target: str, *, read_only: bool) -> Json:
    # Without NoCopy the engine fills an empty volume from the image, and mounts it for that before it may be.
    options = {"NoCopy": True}
    return {"Type": "volume", "Source": source, "Target": target, "ReadOnly": read_only, "VolumeOptions": options}


def _place(revision: Revision, placement: Placement, host: Json) -> Json:
    spec = revision.spec
    if placement.owner:
        # It has the owner's hosts file, and Docker refuses one of its own.
        return {"HostConfig": {**host, "NetworkMode": f"container:{placement.owner}"}}
    if not placement.address:
        return {"HostConfig": {**host, "NetworkMode": "none"}}
    known = [f"{each}:{spec.gateway_address}" for each in spec.known_hosts]
    endpoint = {"IPAMConfig": {"IPv4Address": placement.address}}
    return {
        "HostConfig": {**host, "NetworkMode": spec.network, "ExtraHosts": known},
        "NetworkingConfig": {"EndpointsConfig": {spec.network: endpoint}},
    }
