"""Instance: what runs of a revision, as the engine last showed it, and what probes know of its health. Frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runyard import names
from runyard.names import service_key
from services.orchestrator.model.parts import Role
from services.orchestrator.model.revision import Revision

# A container's: one that is restarting is being brought back by the engine itself, which nobody here asks for; one that
# has ended never runs again by itself.
State = Literal["created", "running", "paused", "restarting", "ended"]
# For instances whose document cannot be read: Cloud Run's ten seconds.
DEFAULT_GRACE_S = 10


@dataclass(frozen=True, slots=True)
class Container:
    """One container of an instance, as the engine showed it last.

    `started_ms` is when it was started last, in milliseconds since 1970; 0 before it was. `fault` says why it cannot go
    on as it is, and `edited` what of it is no longer as its document says. One that is `boosted` still may take the CPU
    of its start.
    """

    id: str
    name: str
    state: State
    exit_code: int = 0
    oom_killed: bool = False
    fault: str = ""
    edited: str = ""
    role: Role = "app"
    started_ms: int = 0
    boosted: bool = False

    @property
    def done(self) -> bool:
        """Whether it was there to end, and has, as it should."""
        return self.role == "init" and self.state == "ended" and self.exit_code == 0 and not self.oom_killed

    @property
    def title(self) -> str:
        """Name it in messages."""
        if self.name in names.HELPERS:
            return f"helper {self.name}"
        return f"{'init ' if self.role == 'init' else ''}container {self.name}"


@dataclass(frozen=True, slots=True)
class Instance:
    """What runs (or dies, or is half made) of a revision, under one address; `identity` is that of its document.

    `data` are the engine's volumes that it writes to and that stay: nobody else may have one of them meanwhile.
    """

    id: str
    tenant: str
    service: str
    revision: str
    address: str
    network: str
    containers: tuple[Container, ...]
    grace_s: int = DEFAULT_GRACE_S
    identity: str = ""
    data: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name the instance's revision across tenants."""
        return service_key(self.tenant, self.revision)

    @property
    def frozen(self) -> bool:
        """Whether it is paused, wholly or in part."""
        return any(each.state == "paused" for each in self.containers)

    @property
    def boosted(self) -> tuple[Container, ...]:
        """The containers that run and still may take the CPU of their start."""
        return tuple(each for each in self.containers if each.boosted and each.state == "running")

    @property
    def service_key(self) -> str:
        """Name the instance's service across tenants."""
        return service_key(self.tenant, self.service)


@dataclass(frozen=True, slots=True)
class Health:
    """What probes found out about a container; `failed` is final, `problem` is the last failed try."""

    started: bool = False
    ready: bool = False
    probed: bool = False
    failed: str = ""
    problem: str = ""


UNKNOWN = Health()
OUT_OF_MEMORY = "killed for using more memory than its limit (OOM)"


def failure_of(instance: Instance, health: Mapping[str, Health]) -> str:
    """Describe why an instance is dead; empty while it lives."""
    for container in instance.containers:
        if container.done:
            continue
        if container.state == "ended":
            if container.oom_killed:
                return f"{container.title}: {OUT_OF_MEMORY}"
            return f"{container.title}: exited with code {container.exit_code}"
        if container.fault:
            return f"{container.title}: {container.fault}"
        failed = health.get(container.id, UNKNOWN).failed
        if failed:
            return f"{container.title}: {failed}"
    return ""


def edit_of(instance: Instance, revisions: Mapping[str, Revision]) -> str:
    """Describe what of an instance is no longer as its revision's document says; empty while all is."""
    revision = revisions.get(instance.key)
    if revision is not None and instance.identity != revision.spec.identity:
        return f"is of {instance.identity}, and the revision's document is now {revision.spec.identity}"
    return next((f"{each.title}: {each.edited}" for each in instance.containers if each.edited), "")


def is_ready(instance: Instance, health: Mapping[str, Health]) -> bool:
    """Tell whether every container of an instance that serves runs, has started and is ready."""
    serving = [each for each in instance.containers if each.role == "app"]
    held = all(each.state == "running" for each in instance.containers if each.role == "holder")
    return (
        bool(serving)
        and held
        and all(each.state == "running" and health.get(each.id, UNKNOWN).ready for each in serving)
    )
