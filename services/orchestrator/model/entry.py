"""Entry: what the book has of an instance, whether it is seen or not."""

from __future__ import annotations

from dataclasses import dataclass

from runyard import names
from runyard.codec import VERSION
from services.orchestrator.model.parts import data_volumes
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.volumes import scratch_volumes


@dataclass(frozen=True, slots=True)
class BookedContainer:
    """A container of an instance: its name in the document, its name and id in the engine; no id before it is made."""

    container: str
    name: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class BookEntry:
    """An instance: whose it is, which document it was made from, where it lives and what it consists of.

    `volumes` are the engine's that go with it, `data` those that it writes to and that stay.
    """

    instance: str
    tenant: str
    service: str
    revision: str
    identity: str
    network: str
    address: str
    containers: tuple[BookedContainer, ...]
    volumes: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def ids(self) -> tuple[str, ...]:
        """The engine's ids of what has been made of it."""
        return tuple(each.id for each in self.containers if each.id)


def container_name(revision: Revision, container: str, instance: str) -> str:
    """Name a container of an instance."""
    return names.instance_container(revision.spec.stack, revision.tenant, revision.name, container, instance)


def entry_of(revision: Revision, instance: str, address: str, containers: tuple[BookedContainer, ...]) -> BookEntry:
    """Give what the book has of an instance of a revision."""
    spec = revision.spec
    return BookEntry(
        instance=instance,
        tenant=spec.tenant,
        service=spec.service,
        revision=spec.name,
        identity=spec.identity,
        network=spec.network,
        address=address,
        containers=containers,
        volumes=scratch_volumes(revision, instance),
        data=data_volumes(spec),
    )
