"""Images of revisions: found, pulled when missing, and brought back when they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from provider.image import Images
from runyard.contracts import ImageIdentity
from runyard.errors import HostError, NotFound, PlanError

BUILT = ImageIdentity("sha256:" + "a" * 64, "registry.test/shop@sha256:" + "d" * 64)
OTHER = ImageIdentity("sha256:" + "b" * 64)


class FakeEngine:
    """An engine with some images, and a registry from which it pulls others."""

    def __init__(self, **registry: ImageIdentity) -> None:
        self.has: dict[str, ImageIdentity] = {}
        self.registry = dict(registry)
        self.pulled: list[tuple[str, str]] = []
        self.looks = 0

    def image_identity(self, reference: str) -> ImageIdentity | None:
        self.looks += 1
        return self.has.get(reference)

    def pull(self, image: str, credentials: str = "") -> None:
        self.pulled.append((image, credentials))
        if image not in self.registry:
            raise HostError(f"pull {image}: no such image")
        identity = self.registry[image]
        self.has |= {image: identity, identity.id: identity}


def images(engine: FakeEngine, times: Iterator[float] | None = None) -> Images:
    clock = (lambda: next(times)) if times else (lambda: 0.0)
    return Images(lambda: engine, lambda image: f"for {image}", clock)


def test_image_that_is_there_is_not_pulled() -> None:
    engine = FakeEngine()
    engine.has = {"shop": BUILT}
    assert images(engine).resolve("shop") == BUILT
    assert engine.pulled == []


def test_image_that_is_missing_is_pulled_with_the_clients_credentials() -> None:
    engine = FakeEngine(shop=BUILT)
    assert images(engine).resolve("shop") == BUILT
    assert engine.pulled == [("shop", "for shop")]


def test_image_that_cannot_be_pulled_says_why() -> None:
    with pytest.raises(HostError, match=r"^pull shop: no such image$"):
        images(FakeEngine()).resolve("shop")


def test_image_that_is_not_there_after_all_is_an_error() -> None:
    engine = FakeEngine(shop=BUILT)
    engine.has = {}
    engine.image_identity = lambda reference: None  # type: ignore[method-assign]
    with pytest.raises(NotFound, match=r"^pull shop: the engine has no such image afterwards$"):
        images(engine).resolve("shop")


def test_id_of_an_image_is_no_name_even_where_the_engine_has_it() -> None:
    engine = FakeEngine()
    engine.has = {BUILT.id: BUILT}
    with pytest.raises(HostError, match=r"^find sha256:aaaa.*: an image must be named, got an id of the engine's$"):
        images(engine).resolve(BUILT.id)


def test_image_is_the_one_of_the_plan_or_the_update_ends_before_anything_is_signed() -> None:
    engine = FakeEngine()
    engine.has = {"shop": BUILT, "other": OTHER}
    subject = Images(lambda: engine, lambda _: "", reviewed={"shop": BUILT, "other": BUILT})
    assert subject.resolve("shop") == BUILT
    with pytest.raises(PlanError) as raised:
        subject.resolve("other")
    assert str(raised.value) == f"image other must be what was reviewed, {BUILT.id}, got {OTHER.id}"
    # Not a name of the plan's: what the state has may go back to its own image.
    assert subject.find("other") == OTHER


def test_many_services_of_one_image_pull_it_once() -> None:
    engine = FakeEngine(shop=BUILT)
    subject = images(engine)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(subject.resolve, ["shop"] * 8)) == {BUILT}
    assert len(engine.pulled) == 1


def test_look_at_an_image_is_repeated_after_a_while() -> None:
    engine = FakeEngine()
    engine.has = {"shop": BUILT}
    subject = images(engine, iter([0.0, 0.0, Images.KNOWN_S - 1, Images.KNOWN_S, Images.KNOWN_S]))
    assert [subject.find("shop"), subject.find("shop")] == [BUILT, BUILT]
    assert engine.looks == 1
    engine.has = {"shop": OTHER}
    assert subject.find("shop") == OTHER


def test_image_that_is_gone_is_pulled_again_by_its_digest() -> None:
    engine = FakeEngine(**{BUILT.digest: BUILT, "shop": OTHER})
    images(engine).restore("shop", BUILT)
    assert engine.pulled == [(BUILT.digest, "for shop")]


def test_image_that_is_still_there_is_left_alone_whatever_its_name_stands_for() -> None:
    engine = FakeEngine()
    engine.has = {BUILT.id: BUILT, "shop": OTHER}
    images(engine).restore("shop", BUILT)
    assert engine.pulled == []


def test_image_without_a_digest_whose_name_stands_for_another_is_lost() -> None:
    with pytest.raises(HostError, match=r"^pull shop again: the image sha256:bbbbbbbbbbbb of the revision is gone"):
        images(FakeEngine(shop=BUILT)).restore("shop", OTHER)
