"""The parts of a stack's platform in Docker: told by their names and labels together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from runyard import names
from runyard.errors import NotFound
from services.orchestrator.engine.docker.client import DockerClient
from services.orchestrator.engine.docker.json import labels_of
from services.orchestrator.engine.port import PartState, SeenPart

# All that is not here is Docker's or an update's to end: created and not started, restarting, being removed.
_STATES: Mapping[str, PartState] = {"running": "running", "paused": "paused", "exited": "stopped"}


class DockerParts:
    """The containers of one stack's parts."""

    def __init__(self, docker: DockerClient, stack: str) -> None:
        self._docker = docker
        self._stack = stack
        # What is asked of Docker just so.
        self.start, self.resume = docker.start, docker.resume
        self.close = docker.close

    async def look(self, part: str) -> SeenPart | None:
        """Look at a part; None if no container of its name has its labels."""
        try:
            found = await self._docker.inspect(names.platform_container(self._stack, part))
        except NotFound:
            return None
        if not {names.STACK: self._stack, names.ROLE: part}.items() <= labels_of(found).items():
            return None
        state = found["State"]
        return SeenPart(found["Id"], _STATES.get(state["Status"], "between"), state.get("ExitCode", 0))

    async def kill(self, part: str) -> None:
        """Kill a part, paused or not, and return when it is dead; NotFound if there is none."""
        found = await self.look(part)
        if found is None:
            raise NotFound(f"kill part {part}: it has no container")
        await self._docker.kill(found.id)

    async def events(self) -> AsyncIterator[None]:
        """Tell each time that something happened to any part, until Docker goes away."""
        async for event in self._docker.container_events({names.STACK: self._stack}):
            if event.role not in (names.ROLE_INSTANCE, names.ROLE_RUN):
                yield
