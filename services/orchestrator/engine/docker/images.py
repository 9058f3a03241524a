"""Images: what an image says of itself, asked once for each id; one that was pruned is pulled again by its digest."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from runyard import names
from runyard.contracts import ContainerDocument, ImageIdentity, RevisionDocument
from runyard.errors import HostError, NotFound
from services.orchestrator.engine.docker.client import DockerClient
from services.orchestrator.engine.docker.json import Json


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the engine has it; paths of `volumes` are cleaned, as the engine compares them."""

    id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    user: str = ""
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


class Images:
    """The images of documents; an image never changes, so what is known of an id holds as long as it is there."""

    def __init__(self, docker: DockerClient) -> None:
        self._docker = docker
        self._known: dict[str, Image] = {}

    async def find(self, document: RevisionDocument, container: ContainerDocument) -> Image:
        """Give a container's image, by the id in the document where there is one.

        One that is missing is pulled if a registry has it under a digest; NotFound names it otherwise.
        """
        identity = _identity(document, container)
        if identity.id in self._known:
            return self._known[identity.id]
        try:
            inspection = await self._docker.inspect_image(identity.id or container.image)
        except NotFound:
            await self._pull(container.image, identity)
            inspection = await self._docker.inspect_image(identity.id or container.image)
        image = read_image(inspection)
        self._known[image.id] = image
        return image

    async def bring_back(self, document: RevisionDocument, container: ContainerDocument) -> None:
        """Pull an image that has gone since it was found; NotFound names it if no registry has it."""
        identity = _identity(document, container)
        self._known.pop(identity.id, None)
        await self._pull(container.image, identity)

    async def _pull(self, image: str, identity: ImageIdentity) -> None:
        known = f" ({identity.id})" if identity.id else ""
        if not identity.digest:
            raise NotFound(f"image {image}{known} is not on this host, and no registry's digest of it is known")
        reference = identity.digest if "@" in identity.digest else f"{_repository(image)}@{identity.digest}"
        try:
            await self._docker.pull(reference)
        except HostError as error:
            raise NotFound(f"image {image}{known} is not on this host, and pull {reference}: {error}") from error


def _identity(document: RevisionDocument, container: ContainerDocument) -> ImageIdentity:
    # Helpers have the image of the first container.
    name = document.containers[0].name if container.name in names.HELPERS else container.name
    return document.images.get(name, ImageIdentity(""))


def read_image(inspection: Json) -> Image:
    """Read an image from Docker's description."""
    config = inspection.get("Config") or {}
    return Image(
        id=inspection["Id"],
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        environment=dict(each.partition("=")[::2] for each in config.get("Env") or ()),
        working_dir=config.get("WorkingDir") or "",
        user=config.get("User") or "",
        volumes=tuple(sorted(map(_cleaned, config.get("Volumes") or ()))),
        labels=config.get("Labels") or {},
    )


def _cleaned(declared: str) -> str:
    # One that is not absolute is left so: Docker refuses it in a tmpfs.
    path = posixpath.normpath(declared)
    return f"/{path.lstrip('/')}" if path.startswith("/") else path


def _repository(image: str) -> str:
    """Give an image's name without its tag; a port of a registry is no tag."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
