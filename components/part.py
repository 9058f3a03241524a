"""Part: a container that the platform itself runs, hardened and supervised in one way, and what it has beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.beside import Around, Beside, Ground
from components.docker import DockerResource
from components.labels import platform_labels
from runyard import names
from runyard.images import image_reference
from runyard.plan import PartPlan

# Longer values are whole files, such as nginx.conf.
_SHOWN_LENGTH = 200
_TMPFS = "rw,nosuid,nodev,mode=1777,size={}m"


class Part(pulumi.ComponentResource):
    """A part of the platform with its volumes, and what it has `made` beside them. Output: `container_name`."""

    container_name: pulumi.Output[str]
    facts: dict[str, Any]
    made: tuple[pulumi.Resource, ...]
    container: DockerResource

    def __init__(self, plan: PartPlan, ground: Ground, besides: Sequence[Beside]) -> None:
        """Declare a part on what stands already; its own volumes are added to those of `ground`."""
        image = image_reference(plan.part.image)
        told = {key: value for each in besides for key, value in each.tell(image).items()}
        environment = {**plan.environment, **told}
        self.facts = _describe(plan, image, environment)
        for each in besides:
            self.facts |= each.describe()
        after = [resource for each in besides for resource in each.after()]
        super().__init__(
            plan.part.component, plan.part.name, self.facts, pulumi.ResourceOptions(depends_on=after or None)
        )
        own = [self._volume(plan, name) for name in plan.own_volumes]
        ground.volumes.update(zip(plan.own_volumes, own, strict=True))
        made = [one for each in besides if (one := each.make(Around(image, self, own))) is not None]
        self.made = tuple(each.resource for each in made)
        ground.beside[plan.part.name] = made
        before = [*self.made, *(ground.volumes[name] for name in plan.volumes)]
        if leader := plan.part.stands_in_for:
            # It is told the same, comes after the other, and goes before it and all that the other has beside it.
            made += ground.beside[leader]
            before += [ground.containers[leader], *(each.resource for each in ground.beside[leader])]
        given: dict[str, pulumi.Input[str]] = dict(environment)
        for beside in made:
            # Of other resources: no manifest can change it, and no preview should show it as if one could.
            given |= beside.environment
        options = pulumi.ResourceOptions(parent=self, depends_on=before)
        self.container = DockerResource(
            "container", f"{plan.part.name}.container", _container(plan, image, given), options
        )
        ground.containers[plan.part.name] = self.container
        self.container_name = self.container.name
        self.register_outputs({"container_name": self.container_name})

    def _volume(self, plan: PartPlan, name: str) -> DockerResource:
        """Declare a volume in which the part keeps what must outlive its container."""
        short = plan.own_volumes[name].name
        props = {"name": name, "labels": platform_labels(plan.stack, names.ROLE_VOLUME)}
        resource = f"{plan.part.name}.{'volume' if short == plan.part.name else short}"
        return DockerResource("volume", resource, props, pulumi.ResourceOptions(parent=self))


def _describe(plan: PartPlan, image: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Describe what a part's container is made of, for previews to compare; a long text is shown as its hash."""
    part = plan.part
    facts = {
        "binds": dict(part.binds),
        "capabilities": list(part.capabilities),
        "host_reads": list(part.host_reads),
        "environment": {
            key: value if len(value) <= _SHOWN_LENGTH else names.digest(value)[: names.HASH_LENGTH]
            for key, value in environment.items()
        },
        "image": image,
        "memory_mib": part.memory_mib,
        "memory_mounts": dict(part.memory_mounts),
        "tmp_mib": part.tmp_mib,
        "volumes": plan.volumes,
        "read_only": sorted(plan.read_only),
    }
    return {key: value for key, value in facts.items() if value}


def _container(plan: PartPlan, image: str, environment: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    """Say a part's container, on the host's network, where it reaches every bridge without joining any."""
    part = plan.part
    memory = {
        "/tmp": _TMPFS.format(part.tmp_mib),  # noqa: S108 - inside the container
        "/run": "rw,nosuid,nodev,size=4m",
        **{path: _TMPFS.format(size) for path, size in part.memory_mounts.items()},
    }
    volumes = [
        {"volumeName": volume, "containerPath": path, **({"readOnly": True} if volume in plan.read_only else {})}
        for volume, path in sorted(plan.volumes.items())
    ]
    binds = [{"hostPath": source, "containerPath": path} for source, path in sorted(part.binds.items())]
    reads = [{"hostPath": each, "containerPath": each, "readOnly": True} for each in part.host_reads]
    return {
        "name": plan.container,
        "image": image,
        "networkMode": "host",
        # The engine restarts a part that dies and after a reboot, the orchestrator one that was stopped by hand.
        "restart": "unless-stopped",
        "mustRun": True,
        "memory": part.memory_mib,
        "memorySwap": part.memory_mib,
        "readOnly": True,
        "tmpfs": memory,
        "capabilities": {"drops": ["ALL"], **({"adds": list(part.capabilities)} if part.capabilities else {})},
        "securityOpts": ["no-new-privileges"],
        "envs": [pulumi.Output.concat(key, "=", value) for key, value in sorted(environment.items())],
        "volumes": volumes + binds + reads,
        "logDriver": "json-file",
        "logOpts": {"max-size": "10m", "max-file": "3"},
        "labels": platform_labels(plan.stack, part.role),
    }
