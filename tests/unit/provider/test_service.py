"""A service as a resource: what is signed, carried over, put and kept, whatever becomes of its rollout."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from provider.kind import Outputs, ResourceState, Unfinished
from provider.service import Around, Service
from provider.signature import generate_pair
from provider.wire import UNKNOWN
from runyard import contracts, names
from runyard.contracts import (
    ContainerDocument,
    Holdings,
    ImageIdentity,
    RevisionDocument,
    RolloutRequest,
    RouteRequest,
    SecretValue,
    ServiceHolding,
    ServiceRequest,
    SignedRevision,
    TrafficShare,
    Variable,
)
from runyard.errors import ContractError, HostError, HostUnreachable, RolloutError
from tests.unit.provider.orchestrator import FakeOrchestrator, is_signed

PUBLIC, PRIVATE = generate_pair()
IMAGE, BUILT, REBUILT = "runyard/hello:1", ImageIdentity("sha256:" + "a" * 64), ImageIdentity("sha256:" + "b" * 64)


class FakeImages:
    """Images by name and id."""

    def __init__(self) -> None:
        self.named: dict[str, ImageIdentity] = {IMAGE: BUILT}
        self.gone: set[str] = set()
        self.restored: list[str] = []
        self.unreachable = False

    def find(self, reference: str) -> ImageIdentity | None:
        if self.unreachable:
            raise HostUnreachable("no engine answers")
        known = {**{each.id: each for each in (BUILT, REBUILT)}, **self.named}
        return None if reference in self.gone else known.get(reference)

    def resolve(self, reference: str) -> ImageIdentity:
        if reference not in self.named:
            raise HostError(f"pull {reference}: no such image")
        return self.named[reference]

    def restore(self, reference: str, identity: ImageIdentity) -> None:
        self.restored.append(f"{reference} {identity.id}")


class World:
    """What a service is carried out with."""

    def __init__(self) -> None:
        self.images = FakeImages()
        self.orchestrator = FakeOrchestrator()
        self.held: Holdings | None = None
        self.put: list[ServiceRequest] = []
        self.told: list[str] = []
        self.failure: Exception | None = None
        self.service = Service(
            Around(self.images, self.orchestrator.lend, lambda _stack: self.held, self.carry_out, self.told.append)
        )

    def carry_out(self, request: ServiceRequest, stack: str) -> None:
        assert stack == "dev"
        self.put.append(request)
        if self.failure is not None:
            raise self.failure


def document(name: str = "hello-1", image: str = IMAGE, **more: Any) -> RevisionDocument:
    return RevisionDocument(
        *("dev", "default", "hello", name, name, "d" * 64, "runyard.dev.tenant.default", ""),
        containers=(ContainerDocument("hello", image, **more),),
    )


def inputs(made: RevisionDocument, *earlier: str, **more: Any) -> dict[str, Any]:
    rollout = RolloutRequest("default", "hello", (TrafficShare(made.name, 100),), history=(made.name, *earlier))
    return {
        "stack": "dev",
        "tenant": "default",
        "service": "hello",
        "facts": "{}",
        "document": contracts.encode_differing(made),
        "rollout": contracts.encode_differing(rollout),
        "route": contracts.encode_differing(RouteRequest("default", "hello", ("hello.localhost",))),
        "history": json.dumps([made.identity, *earlier]),
        "key": PRIVATE,
        **more,
    }


def state(given: Mapping[str, Any], outputs: Outputs) -> ResourceState:
    return ResourceState("dev/default/hello", given, {**outputs.plain, **outputs.secret})


def signed_of(outputs: Outputs) -> list[SignedRevision]:
    return [SignedRevision(**each) for each in json.loads(outputs.plain["documents"])]


def names_of(outputs: Outputs) -> list[str]:
    return [contracts.decode(RevisionDocument, each.document).name for each in signed_of(outputs)]


def test_creation_signs_the_whole_document_with_what_its_images_are_and_puts_it() -> None:
    world = World()
    outputs = world.service.create(inputs(document()))
    (signed,) = signed_of(outputs)
    resolved = dataclasses.replace(document(), images={"hello": BUILT})
    assert signed.document == contracts.encode(resolved)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC))
    key.verify(base64.b64decode(signed.signature), signed.document.encode())
    assert outputs.plain["revision"] == "hello-1"
    assert outputs.secret == {}
    (put,) = world.put
    assert put.revisions == (signed,)
    assert (put.route.hosts, put.rollout.traffic) == (("hello.localhost",), (TrafficShare("hello-1", 100),))


def test_update_carries_earlier_documents_over_as_they_were_signed_in_the_order_of_the_history() -> None:
    world = World()
    first = world.service.create(inputs(document()))
    world.images.named[IMAGE] = REBUILT
    second = world.service.update(state(inputs(document()), first), inputs(document("hello-2"), "hello-1"))
    assert names_of(second) == ["hello-2", "hello-1"]
    assert signed_of(second)[1] == signed_of(first)[0]
    assert [each.id for each in contracts.decode(RevisionDocument, signed_of(second)[0].document).images.values()] == [
        REBUILT.id
    ]
    # The way back: what was signed first stays, whatever its tag stands for by now.
    third = world.service.update(state(inputs(document("hello-2"), "hello-1"), second), inputs(document(), "hello-2"))
    assert signed_of(third) == [signed_of(first)[0], signed_of(second)[0]]


def test_update_drops_what_is_not_in_the_history() -> None:
    world = World()
    first = world.service.create(inputs(document()))
    assert names_of(world.service.update(state(inputs(document()), first), inputs(document("hello-2")))) == ["hello-2"]


def test_history_of_which_the_state_has_no_document_is_refused() -> None:
    with pytest.raises(ContractError, match=r"^carry revisions over: the state has no document of hello-0$"):
        World().service.create(inputs(document(), "hello-0"))


def test_rollout_that_fails_keeps_what_was_signed_and_names_what_was_served() -> None:
    world = World()
    first = world.service.create(inputs(document()))
    world.failure = RolloutError("hello-2 exited with 1\n  | boom")
    with pytest.raises(Unfinished, match=r"^hello-2 exited with 1\n  \| boom$") as raised:
        world.service.update(state(inputs(document()), first), inputs(document("hello-2"), "hello-1"))
    assert names_of(raised.value.outputs) == ["hello-2", "hello-1"]
    assert raised.value.outputs.plain["revision"] == "hello-1"
    # The next update signs nothing anew.
    world.failure, world.images.named[IMAGE] = None, REBUILT
    mended = world.service.update(
        state(inputs(document("hello-2"), "hello-1"), raised.value.outputs), inputs(document("hello-2"), "hello-1")
    )
    assert signed_of(mended) == signed_of(raised.value.outputs)
    assert mended.plain["revision"] == "hello-2"


def test_creation_that_fails_has_served_nothing() -> None:
    world = World()
    world.failure = HostError("reach the orchestrator: gone")
    with pytest.raises(Unfinished) as raised:
        world.service.create(inputs(document()))
    assert raised.value.outputs.plain["revision"] == ""


def test_image_that_cannot_be_had_fails_before_anything_is_put() -> None:
    world = World()
    with pytest.raises(HostError, match=r"^pull shop:1: no such image$"):
        world.service.create(inputs(document(image="shop:1")))
    assert world.put == []


TOKEN = document(environment=(Variable("TOKEN", secret=SecretValue("api", "latest", "f" * 64)),))


def test_values_of_secrets_go_with_the_request_and_stay_with_the_documents_that_name_them() -> None:
    world = World()
    given = inputs(TOKEN, values=json.dumps({"f" * 64: "s3cret"}))
    first = world.service.create(given)
    assert world.put[0].values == {"f" * 64: "s3cret"}
    assert json.loads(first.secret["values"]) == {"f" * 64: "s3cret"}
    assert "s3cret" not in json.dumps(first.plain)
    assert "s3cret" not in repr(first)
    # The manifest names no secret any more; the earlier revision does.
    second = world.service.update(state(given, first), inputs(document("hello-2"), "hello-1"))
    assert world.put[1].values == {"f" * 64: "s3cret"}
    third = world.service.update(state(inputs(document("hello-2"), "hello-1"), second), inputs(document("hello-2")))
    assert third.secret == {}


def test_document_whose_secret_has_no_value_is_refused() -> None:
    with pytest.raises(ContractError, match=r"^revision hello-1: the state has no value of api/latest$"):
        World().service.create(inputs(TOKEN))


def test_other_key_signs_what_was_signed_before_it() -> None:
    world = World()
    first = world.service.create(inputs(document()))
    _, other = generate_pair()
    second = world.service.update(state(inputs(document()), first), inputs(document(), key=other))
    assert signed_of(second)[0].document == signed_of(first)[0].document
    assert is_signed(other, signed_of(second)[0])
    assert not is_signed(PRIVATE, signed_of(second)[0])


def test_preview_knows_the_revision_and_not_its_images() -> None:
    assert World().service.foresee(inputs(document())).plain == {"documents": UNKNOWN, "revision": "hello-1"}
    assert World().service.foresee({"document": UNKNOWN}).plain["revision"] is UNKNOWN


def held(outputs: Outputs, given: Mapping[str, Any], **changes: Any) -> Holdings:
    rollout = contracts.decode(RolloutRequest, given["rollout"])
    holding = ServiceHolding(
        "default",
        "hello",
        {
            contracts.decode(RevisionDocument, each.document).identity: names.digest(each.document)
            for each in signed_of(outputs)
        },
        names.digest(contracts.encode(contracts.decode(RouteRequest, given["route"]))),
        names.digest(contracts.encode(rollout)),
        rollout.traffic,
    )
    return Holdings((dataclasses.replace(holding, **changes),))


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, []),
        ({"documents": {}}, ["documents"]),
        ({"documents": {"hello-1": "other"}}, ["documents"]),
        ({"goal": (TrafficShare("hello-0", 100),)}, ["rollout"]),
        ({"rollout": "other"}, ["rollout"]),
        ({"route": "other"}, ["route"]),
        ({"service": "other"}, ["documents", "rollout", "route"]),
        ({"documents": {}, "route": ""}, ["documents", "route"]),
    ],
)
def test_what_the_orchestrator_lacks_is_a_difference(changes: dict[str, Any], keys: list[str]) -> None:
    world = World()
    given = inputs(document())
    outputs = world.service.create(given)
    world.held = held(outputs, given, **changes)
    assert world.service.find_lost(state(given, outputs)) == keys
    assert bool(world.told) is bool({"documents", "route"} & set(keys))


def test_moved_tag_is_told_once_and_moves_nothing() -> None:
    world = World()
    given = inputs(document())
    made = state(given, world.service.create(given))
    world.images.named[IMAGE] = REBUILT
    assert world.service.find_lost(made) == []
    assert world.service.find_lost(made) == []
    assert world.told == [
        "image runyard/hello:1 is another by now (bbbbbbbbbbbb) than revision hello-1 of default/hello and perhaps "
        "others were made of (aaaaaaaaaaaa): revisions never change, so only a new one takes it"
    ]


def test_image_that_is_gone_is_told_and_brought_back_by_an_update() -> None:
    world = World()
    given = inputs(document())
    made = state(given, world.service.create(given))
    world.images.gone = {BUILT.id}
    assert world.service.find_lost(made) == ["documents"]
    assert world.told == [
        "image runyard/hello:1 (aaaaaaaaaaaa) is gone from the engine; default/hello and perhaps others are "
        "made of it: an update brings it back"
    ]
    world.service.update(made, given)
    assert world.images.restored == [f"{IMAGE} {BUILT.id}"] * 2


def test_preview_goes_on_without_an_engine() -> None:
    world = World()
    given = inputs(document())
    made = state(given, world.service.create(given))
    world.images.unreachable = True
    assert world.service.find_lost(made) == []


def test_deletion_withdraws_the_service_and_without_an_orchestrator_there_is_nothing_to_withdraw() -> None:
    world = World()
    given = inputs(document())
    made = state(given, world.service.create(given))
    world.service.delete(made)
    assert world.orchestrator.removed == ["default/hello"]
    world.orchestrator.held = None
    world.service.delete(made)
    assert world.orchestrator.removed == ["default/hello"]


def test_service_stays_while_a_rollout_of_its_tenants_has_failed_and_those_of_others_go() -> None:
    world = World()
    given = inputs(document())
    made = state(given, world.service.create(given))
    world.failure = RolloutError("exited with 1")
    with pytest.raises(Unfinished):
        world.service.create({**given, "service": "next"})
    with pytest.raises(RolloutError, match=r"^default/hello stays, as the rollout of default/next failed$"):
        world.service.delete(made)
    world.service.delete(state({**given, "tenant": "shop"}, Outputs({})))
    world.service.delete(state({**given, "stack": "other"}, Outputs({})))
    assert world.orchestrator.removed == ["shop/hello", "default/hello"]


def test_refresh_never_takes_a_service_for_gone() -> None:
    world = World()
    assert world.service.exists(ResourceState("dev/default/hello", {}, {}))
    assert world.service.identify(inputs(document())) == "dev/default/hello"
