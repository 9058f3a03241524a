"""Docker behind the seam: documents become Docker's configurations here, and what it shows is held against them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from typing import cast

from runyard import names
from runyard.errors import NotFound
from services.orchestrator.engine.docker.client import DockerClient
from services.orchestrator.engine.docker.comparison import describe_edit, describe_fault, difference, is_boosted
from services.orchestrator.engine.docker.descriptions import read_container, read_state, read_subnet
from services.orchestrator.engine.docker.images import Image, Images
from services.orchestrator.engine.docker.json import Json, labels_of
from services.orchestrator.engine.docker.making import container_config, cpu_quota, placement_of
from services.orchestrator.engine.docker.volumes import make_volumes
from services.orchestrator.engine.port import Departure, Event, SeenContainer, Subnet
from services.orchestrator.model.entry import BookEntry, container_name
from services.orchestrator.model.instance import State
from services.orchestrator.model.revision import Revision, may_freeze

# At most this many inspections at once: Docker serialises much of it anyway.
INSPECTIONS = 8
# What an image adds is not compared in a container of ours: no edit can change it.
_ANY_IMAGE = Image("")


class DockerEngine:
    """The containers of one stack's instances in Docker, or of another role's."""

    def __init__(self, docker: DockerClient, stack: str, role: str = names.ROLE_INSTANCE) -> None:
        self._docker = docker
        self._labels = {names.STACK: stack, names.ROLE: role}
        self._images = Images(docker)
        # What is asked of Docker just so.
        self.ping = docker.ping
        self.users = docker.users
        self.start, self.stop, self.remove = docker.start, docker.stop, docker.remove
        self.pause, self.resume = docker.pause, docker.resume
        self.wait = docker.wait
        self.remove_volume = docker.remove_volume
        self.logs, self.run = docker.logs, docker.run
        self.close = docker.close

    async def states(self) -> Mapping[str, State]:
        """Give the states of all containers that carry this stack's labels of instances, by id."""
        return {each: read_state(status) for each, status in (await self._docker.list(self._labels)).items()}

    async def observe(self, containers: Collection[str]) -> Mapping[str, SeenContainer]:
        """Look at containers, by id; those that are gone, or do not carry this stack's labels, are absent."""
        gate = asyncio.Semaphore(INSPECTIONS)

        async def one(container: str) -> Json | None:
            async with gate:
                try:
                    return await self._docker.inspect(container)
                except NotFound:
                    # It went between the listing (or the event) and now.
                    return None

        found = await asyncio.gather(*(one(each) for each in containers))
        ours = [each for each in found if each is not None and self._labels.items() <= labels_of(each).items()]
        return {each["Id"]: read_container(each) for each in ours}

    def departure(self, entry: BookEntry, revision: Revision, container: str, seen: SeenContainer) -> Departure:
        """Tell how a container of an instance in the book departs from what was made."""
        inspection = cast(Json, seen.native)
        config = self._config(entry, revision, container, _ANY_IMAGE, inspection)
        edited = describe_edit(inspection, config, container_name(revision, container, entry.instance))
        fault = describe_fault(inspection, config, may_pause=may_freeze(revision.spec))
        part = revision.part(container)
        return Departure(fault, edited, part is not None and is_boosted(inspection, part.document))

    async def difference(self, entry: BookEntry, revision: Revision, seen: SeenContainer) -> str:
        """Name the first thing in which a container is not what this revision makes; empty when there is none."""
        part = revision.part(seen.container)
        if part is None:
            return "container"
        try:
            image = await self._images.find(revision.spec, part.document)
        except NotFound:
            return "image"
        inspection = cast(Json, seen.native)
        config = self._config(entry, revision, seen.container, image, inspection)
        return difference(inspection, config, container_name(revision, seen.container, entry.instance))

    def _config(
        self, entry: BookEntry, revision: Revision, container: str, image: Image, seen: Json | None = None
    ) -> Json:
        part = revision.part(container)
        assert part is not None  # noqa: S101 - the caller has it of this revision
        document = part.document
        if seen is not None and not is_boosted(seen, document):
            # What it had more of when it was made is over.
            document = replace(document, startup_cpu_millis=0)
        return container_config(revision, document, placement_of(entry, revision, container), image)

    async def subnet(self, network: str) -> Subnet:
        """Describe a network; HostError if it has no IPv4 range."""
        return read_subnet(await self._docker.inspect_network(network))

    async def make_volumes(self, revision: Revision, instance: str) -> None:
        """Make the volumes that an instance mounts and that are not there; Refused if somebody has such a name."""
        await make_volumes(self._docker, revision, instance)

    async def make(self, entry: BookEntry, revision: Revision, container: str) -> str:
        """Make a container of an instance and give its id; NotFound names an image that no registry has."""
        part = revision.part(container)
        assert part is not None  # noqa: S101 - the caller has it of this revision
        name = container_name(revision, container, entry.instance)
        image = await self._images.find(revision.spec, part.document)
        try:
            return await self._docker.create(name, self._config(entry, revision, container, image))
        except NotFound:
            # Pruned since it was found.
            await self._images.bring_back(revision.spec, part.document)
        return await self._docker.create(name, self._config(entry, revision, container, image))

    async def limit_cpu(self, container: str, millis: int) -> None:
        """Hold a container to so many thousandths of a core from now on."""
        await self._docker.update(container, {"CpuQuota": cpu_quota(millis)})

    def events(self) -> AsyncIterator[Event]:
        """Yield what happens to containers of this stack, and to others' networks, until Docker goes away."""
        return self._docker.events(self._labels)
