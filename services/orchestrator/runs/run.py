"""Run: how a one-off instance is, as whoever waits for it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from runyard.contracts import ContainerStatus, InstanceStatus, RunState, RunStatus
from services.orchestrator.store.run_book import RunEntry


@dataclass(eq=False, slots=True)
class Run:
    """A run; `attended_s` is when somebody asked for it last, by the monotonic clock.

    `released` is set when nobody needs it any more, `gone` when nothing is left of it.
    """

    entry: RunEntry
    attended_s: float
    state: RunState = "starting"
    exit_code: int | None = None
    reason: str = ""
    late: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> str:
        """Its number."""
        return self.entry.made.instance

    @property
    def command_container(self) -> str:
        """The engine's id of the container that runs the command; empty before it was made."""
        return next((each.id for each in self.entry.made.containers if each.container == self.entry.container), "")

    def tell(self, state: RunState, reason: str = "", exit_code: int | None = None) -> None:
        """Note how it is from now on, and wake who waits for that."""
        self.state, self.reason, self.exit_code = state, reason or self.reason, exit_code
        self.changed.set()
        self.changed = asyncio.Event()

    def status(self) -> RunStatus:
        """Describe it for who asked for it."""
        made = self.entry.made
        return RunStatus(
            tenant=made.tenant,
            service=made.service,
            revision=made.revision,
            run=self.id,
            state=self.state,
            container=self.command_container if self.entry.started_unix_s else "",
            exit_code=self.exit_code,
            reason=self.reason,
            late=self.late,
        )

    def instance(self) -> InstanceStatus:
        """Describe it among the instances, with what it uses while it runs."""
        entry, made = self.entry, self.entry.made
        started_ms = int(entry.started_unix_s * 1000)
        limits = (entry.cpu_millis, entry.memory_bytes)
        return InstanceStatus(
            tenant=made.tenant,
            service=made.service,
            revision=made.revision,
            instance=self.id,
            state=self.state,
            address=made.address,
            reason=self.reason,
            run=True,
            containers=(ContainerStatus(self.command_container, entry.container, started_ms, *limits),)
            if self.state == "running"
            else (),
        )
