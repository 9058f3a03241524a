"""Images as reviews look at them: on the engine, or in their registry."""

from __future__ import annotations

import pytest

from runyard.contracts import ImageIdentity
from runyard.errors import HostError
from runyard.host.image import observe_images

BUILT = ImageIdentity("sha256:" + "a" * 64)


class FakeEngine:
    """An engine that has one image, and a registry that has another."""

    def image_identity(self, reference: str) -> ImageIdentity | None:
        return BUILT if reference == "built:1" else None

    def registry_digest(self, image: str, credentials: str = "") -> str:
        if (image, credentials) != ("pushed:1", "for pushed:1"):
            raise HostError(f"ask the registry for {image}: no such host")
        return "registry.test/pushed@sha256:d"


def test_image_is_told_by_the_engine_or_else_by_its_registry() -> None:
    assert observe_images(FakeEngine(), ["built:1", "pushed:1"], lambda image: f"for {image}") == {
        "built:1": BUILT,
        "pushed:1": ImageIdentity("", "registry.test/pushed@sha256:d"),
    }


def test_image_that_nobody_has_cannot_be_held_to() -> None:
    with pytest.raises(HostError) as raised:
        observe_images(FakeEngine(), ["absent:1"], lambda _: "")
    assert str(raised.value) == (
        "hold image absent:1 to what it is now: ask the registry for absent:1: no such host "
        "(pull it, or name its digest)"
    )
