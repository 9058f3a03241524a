"""Images by name, as reviews and updates look at them: what each stands for on the engine, or in its registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from runyard.contracts import ImageIdentity
from runyard.errors import HostError


class ImageSource(Protocol):
    """What this asks of an engine; `runyard.host.Engine` has it."""

    def image_identity(self, reference: str) -> ImageIdentity | None:
        """Tell which image a name stands for; None if the engine has none."""
        ...

    def registry_digest(self, image: str, credentials: str = "") -> str:
        """Tell which digest a name has in its registry."""
        ...


def observe_images(
    engine: ImageSource, images: Iterable[str], credentials: Callable[[str], str]
) -> dict[str, ImageIdentity]:
    """Tell what each image stands for: on the engine, as an update takes it, or else in its registry.

    HostError names one that is in neither: nobody could say later whether it is still what was reviewed.
    """
    found = {}
    for image in images:
        identity = engine.image_identity(image)
        if identity is None:
            try:
                identity = ImageIdentity("", engine.registry_digest(image, credentials(image)))
            except HostError as error:
                hint = "pull it, or name its digest"
                raise HostError(f"hold image {image} to what it is now: {error} ({hint})") from error
        found[image] = identity
    return found
