from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from runyard.contracts import ImageIdentity
from runyard.errors import NotFound
from services.orchestrator.engine.docker.images import Image, Images, read_image

from ...test_orchestrator import rollout
from ...world import IMAGE, FakeEngine, World, container, document, in_world

DIGEST = "sha256:d16e57"


def found(engine: FakeEngine, identity: ImageIdentity | None, image: str = "hello:1") -> Image:
    of = replace(container(), image=image)
    held = document("hello-1", of, images={"app": identity} if identity else {})
    return asyncio.run(Images(engine).find(held, of))


def test_image_is_read_from_docker_s_description() -> None:
    config = {
        "Entrypoint": ["/e"],
        "Cmd": None,
        "Env": ["A=1=2", "B"],
        "WorkingDir": "/w",
        "User": "7",
        "Volumes": {"/srv/a/../b/": {}, "//x": {}, "relative": {}},
        "Labels": {"a": "b"},
    }
    assert read_image({"Id": "i", "Config": config}) == Image(
        "i", ("/e",), (), {"A": "1=2", "B": ""}, "/w", "7", ("/srv/b", "/x", "relative"), {"a": "b"}
    )


def test_image_is_asked_for_by_its_id_and_once() -> None:
    engine, of = FakeEngine(), container()
    images = Images(engine)
    for _ in range(2):
        assert asyncio.run(images.find(document(), of)).id == IMAGE
    assert engine.calls == [("inspect_image", IMAGE)]


def test_document_without_an_id_has_the_image_of_its_name() -> None:
    engine = FakeEngine()
    engine.images["hello:1"] = {"Id": "sha256:now", "Config": {}}
    assert found(engine, None).id == "sha256:now"


@pytest.mark.parametrize(
    ("image", "digest", "reference"),
    [
        ("hello:1", DIGEST, f"hello@{DIGEST}"),
        ("host:5000/team/hello", DIGEST, f"host:5000/team/hello@{DIGEST}"),
        ("host:5000/team/hello:1", DIGEST, f"host:5000/team/hello@{DIGEST}"),
        ("hello:1", f"mirror/hello@{DIGEST}", f"mirror/hello@{DIGEST}"),
    ],
)
def test_image_that_was_pruned_is_pulled_by_its_digest(image: str, digest: str, reference: str) -> None:
    engine = FakeEngine()
    engine.registry[reference] = {"Id": "sha256:gone", "Config": {}}
    assert found(engine, ImageIdentity("sha256:gone", digest), image).id == "sha256:gone"


@pytest.mark.parametrize(
    ("digest", "why"),
    [
        ("", "no registry's digest of it is known"),
        (DIGEST, f"pull hello@{DIGEST}: pull hello@{DIGEST}: not found"),
    ],
)
def test_image_that_nobody_has_is_named(digest: str, why: str) -> None:
    with pytest.raises(NotFound) as caught:
        found(FakeEngine(), ImageIdentity("sha256:gone", digest))
    assert str(caught.value) == f"image hello:1 (sha256:gone) is not on this host, and {why}"


@in_world
async def test_image_that_was_pruned_between_two_starts_comes_back(world: World) -> None:
    world.add(images={"app": ImageIdentity(IMAGE, DIGEST)})
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    world.engine.registry[f"hello@{DIGEST}"] = world.engine.images.pop(IMAGE)
    world.engine.die(world.engine.clones()[0], 1)
    await world.pass_time(1)
    assert len(world.engine.clones("running")) == 1
    assert ("pull", f"hello@{DIGEST}") in world.engine.calls
