"""Part: a container that the platform itself runs, hardened and supervised in one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pulumi

from components.docker import DockerResource
from components.labels import platform_labels
from runyard import names
from runyard.images import image_reference

# Longer values are whole files, such as nginx.conf.
_SHOWN_LENGTH = 200
_TMPFS = "rw,nosuid,nodev,mode=1777,size={}m"


@dataclass(frozen=True)
class PartArgs:
    """What differs between the platform's parts; `mounts` maps a volume's or host file's name to a path inside."""

    part: str
    role: str
    memory_mib: int
    tmp_mib: int = 16
    # Paths of further memory, in MiB.
    memory_mounts: Mapping[str, int] = field(default_factory=dict)
    capabilities: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)


def describe_part(args: PartArgs) -> dict[str, Any]:
    """Describe what a part's container is made of, for previews to compare; a long text is shown as its hash."""
    facts = asdict(args) | {"image": image_reference(args.part)}
    facts["environment"] = {
        key: value if len(value) <= _SHOWN_LENGTH else names.digest(value)[: names.HASH_LENGTH]
        for key, value in args.environment.items()
    }
    return {key: value for key, value in sorted(facts.items()) if value and key not in ("part", "role")}


def part_volume(name: str, stack: str, part: str, parent: pulumi.Resource) -> DockerResource:
    """Declare the volume in which a part keeps what must outlive its container."""
    props = {"name": names.platform_volume(stack, part), "labels": platform_labels(stack, names.ROLE_VOLUME)}
    return DockerResource("volume", name, props, pulumi.ResourceOptions(parent=parent))


def part_container(
    stack: str,
    args: PartArgs,
    opts: pulumi.ResourceOptions,
    made: Mapping[str, pulumi.Output[str]] | None = None,
) -> DockerResource:
    """Declare a part's container on the host's network, where it reaches every bridge without joining any.

    `made` is what its environment has of other resources beside `args`: no manifest can change that.
    """
    environment: dict[str, pulumi.Input[str]] = {**args.environment, **(made or {})}
    memory = {
        "/tmp": _TMPFS.format(args.tmp_mib),  # noqa: S108 - inside the container
        "/run": "rw,nosuid,nodev,size=4m",
        **{path: _TMPFS.format(size) for path, size in args.memory_mounts.items()},
    }
    volumes = [{"volumeName": volume, "containerPath": path} for volume, path in sorted(args.volumes.items())]
    binds = [{"hostPath": source, "containerPath": path} for source, path in sorted(args.binds.items())]
    props = {
        "name": names.platform_container(stack, args.part),
        "image": image_reference(args.part),
        "networkMode": "host",
        # The engine restarts a part that dies and after a reboot; a part that was stopped by hand stays stopped.
        "restart": "unless-stopped",
        "mustRun": True,
        "memory": args.memory_mib,
        "memorySwap": args.memory_mib,
        "readOnly": True,
        "tmpfs": memory,
        "capabilities": {"drops": ["ALL"], **({"adds": list(args.capabilities)} if args.capabilities else {})},
        "securityOpts": ["no-new-privileges"],
        "envs": [pulumi.Output.concat(key, "=", value) for key, value in sorted(environment.items())],
        "volumes": volumes + binds,
        "logDriver": "json-file",
        "logOpts": {"max-size": "10m", "max-file": "3"},
        "labels": platform_labels(stack, args.role),
    }
    return DockerResource("container", f"{args.part}.container", props, opts)
