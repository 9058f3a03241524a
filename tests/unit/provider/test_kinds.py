"""The smaller kinds of resources: the signing key, certificates, the claim and the sweep."""

from __future__ import annotations

import base64

from provider.certificate import Certificate
from provider.claim import Claim
from provider.key import SigningKey
from provider.kind import ResourceState
from provider.signature import sign
from provider.sweep import Sweep
from provider.wire import UNKNOWN
from runyard import names
from runyard.contracts import CertificateRequest, Holdings, SignedRevision
from runyard.host.thing import Thing
from tests.unit.provider.orchestrator import FakeOrchestrator, is_signed

STACK = {"stack": "dev"}


def test_key_is_made_once_and_its_private_half_is_secret() -> None:
    kind = SigningKey()
    made = kind.create(STACK)
    private, public = made.secret["private"], made.plain["public"]
    assert len(base64.b64decode(private)) == len(base64.b64decode(public)) == 32
    assert private not in repr(made)
    kept = kind.update(ResourceState("dev/key", STACK, {**made.plain, **made.secret}), STACK)
    assert kept == made
    assert kind.create(STACK) != made
    assert kind.identify(STACK) == "dev/key"
    kind.delete(ResourceState("dev/key", STACK, {}))


def test_key_is_not_known_before_it_is_made() -> None:
    assert SigningKey().foresee(STACK).plain == {"public": UNKNOWN, "private": UNKNOWN}


def test_signature_is_of_the_whole_text_and_of_one_key() -> None:
    private, other = (SigningKey().create(STACK).secret["private"] for _ in range(2))
    signed = sign(private, "text")
    assert is_signed(private, signed)
    assert not is_signed(private, SignedRevision("text ", signed.signature))
    assert not is_signed(other, signed)


PAIR = {"stack": "dev", "name": "shop", "chain": "CHAIN", "key": "KEY"}


def test_certificate_is_put_in_force_and_taken_out_again() -> None:
    orchestrator = FakeOrchestrator()
    kind = Certificate(orchestrator.lend, lambda _stack: None)
    kind.create(PAIR)
    assert orchestrator.certificates == {"shop": CertificateRequest("shop", "CHAIN", "KEY")}
    kind.update(ResourceState("dev/shop", PAIR, {}), {**PAIR, "key": "OTHER"})
    assert orchestrator.certificates["shop"].key == "OTHER"
    kind.delete(ResourceState("dev/shop", PAIR, {}))
    assert orchestrator.certificates == {}
    assert kind.identify(PAIR) == "dev/shop"


def test_certificate_without_an_orchestrator_is_out_of_force_already() -> None:
    orchestrator = FakeOrchestrator()
    orchestrator.held = None
    Certificate(orchestrator.lend, lambda _stack: None).delete(ResourceState("dev/shop", PAIR, {}))


def test_certificate_that_the_orchestrator_does_not_have_is_a_difference() -> None:
    state = ResourceState("dev/shop", PAIR, {})
    for held, keys in (
        (None, []),
        (Holdings(certificates={"shop": names.digest("CHAIN")}), []),
        (Holdings(certificates={"shop": names.digest("OTHER")}), ["chain"]),
        (Holdings(), ["chain"]),
    ):
        kind = Certificate(FakeOrchestrator().lend, lambda _stack, held=held: held)  # type: ignore[misc]
        assert list(kind.find_lost(state)) == keys


def test_claim_is_handed_over_and_missed_where_the_orchestrator_has_another() -> None:
    given = {"stack": "dev", "claim": '{"stack":"dev"}'}
    handed: list[tuple[str, str]] = []
    held = Holdings(claim=names.digest('{"stack":"dev"}'))
    kind = Claim(lambda stack, text: handed.append((stack, text)), lambda _stack: held)
    kind.create(given)
    assert handed == [("dev", '{"stack":"dev"}')]
    state = ResourceState("dev/claim", given, {})
    assert kind.find_lost(state) == ()
    held = Holdings()
    assert kind.find_lost(state) == ("claim",)
    kind.delete(state)
    assert kind.identify(given) == "dev/claim"


class Engine:
    def __init__(self, *things: Thing) -> None:
        self.things = list(things)

    def owned(self, stack: str) -> list[Thing]:
        return [each for each in self.things if each.stack == stack]

    def remove(self, thing: Thing) -> None:
        self.things.remove(thing)


def test_sweep_does_nothing_until_it_is_deleted_and_then_removes_every_instance_strangers_too() -> None:
    instance = Thing("container", "runyard.dev.default.hello-1.hello.ab", "1", "dev", names.ROLE_INSTANCE)
    run = Thing("container", "runyard.dev.default.hello-1.hello.cd", "8", "dev", names.ROLE_RUN)
    stranger = Thing("container", "somebody", "2", "dev", names.ROLE_INSTANCE)
    volume = Thing("volume", "runyard.dev.gateway", "3", "dev", names.ROLE_INSTANCE)
    part = Thing("container", "runyard.dev.gateway", "4", "dev", names.ROLE_GATEWAY)
    other = Thing("container", "runyard.test.default.a", "5", "test", names.ROLE_INSTANCE)
    scratch = Thing("volume", "runyard.dev.default.hello-1.work.ab", "6", "dev", names.ROLE_SCRATCH)
    data = Thing("volume", "runyard.dev.volume.default.data", "7", "dev", names.ROLE_DATA)
    engine, released = Engine(instance, run, stranger, volume, part, other, scratch, data), list[str]()
    kind = Sweep(lambda: engine, released.append)
    kind.create(STACK)
    assert (len(engine.things), kind.identify(STACK)) == (8, "dev/sweep")
    kind.delete(ResourceState("dev/sweep", STACK, {}))
    # What a tenant keeps is kept.
    assert engine.things == [volume, part, other, data]
    assert released == ["dev"]
