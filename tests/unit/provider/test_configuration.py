"""The gateway's configuration as Pulumi sees it: what is refused, what is a change, and how it is put in force."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider.configuration import GatewayConfiguration, rebinds
from provider.kind import ResourceState
from provider.wire import UNKNOWN
from runyard import contracts
from runyard.errors import HostError, RefusedConfiguration
from runyard.gateway import GatewayConfig, Listener, digest, render

IMAGE = "runyard/gateway:abc"


class Gateway:
    """A gateway's host that keeps what it was asked, and refuses with a text if it has one."""

    def __init__(self, refuses: str = "", there: bool = True) -> None:
        self.refuses = refuses
        self.there = there
        self.asked: list[tuple[Any, ...]] = []

    def configure(self, image: str, text: str, digest: str, *, rebinds: bool = False) -> None:
        self.asked.append((image, text, digest, rebinds))
        if self.refuses:
            raise RefusedConfiguration(self.refuses)

    def has_configuration(self, image: str) -> bool:
        return self.there and image == IMAGE

    def discard_test(self) -> None:
        self.asked.append(("discard",))


def kind(gateway: Gateway | None = None) -> GatewayConfiguration:
    return GatewayConfiguration(lambda _stack: gateway or Gateway())


def inputs(places: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    config = GatewayConfig(**changes)
    return {
        "stack": "dev",
        "image": IMAGE,
        "places": json.dumps(places or {}),
        "digest": digest(config),
        "configuration": contracts.encode(config),
    }


def state(given: dict[str, Any]) -> ResourceState:
    return ResourceState("dev/gateway", given, {})


def test_values_that_the_grammars_take_pass() -> None:
    assert kind().check(inputs(hold_timeout_ms=5)) == ()


def test_value_that_a_grammar_refuses_fails_the_preview() -> None:
    assert kind().check(inputs(user="root; daemon on")) == (
        "gateway: user: must be a user name, got 'root; daemon on'",
    )


def test_configuration_that_is_not_known_yet_is_checked_when_it_is() -> None:
    assert kind().check(inputs() | {"configuration": UNKNOWN}) == ()


def test_value_is_a_change_and_a_line_of_the_manifest_is_none() -> None:
    here, there = {"max_body_bytes": "p.yaml:3:1"}, {"max_body_bytes": "p.yaml:4:1"}
    assert kind().diff(state(inputs(here)), inputs(there)) == []
    assert kind().diff(state(inputs(here)), inputs(here, hold_timeout_ms=5)) == ["configuration", "digest"]


def test_creation_and_update_put_the_rendered_text_in_force_and_say_when_a_port_moves() -> None:
    gateway = Gateway()
    before, after = (inputs(listeners=(Listener("edge", f"{each}:3000"),)) for each in ("127.0.0.1", "0.0.0.0"))
    kind(gateway).create(before)
    kind(gateway).update(state(before), after)
    first, second = gateway.asked
    text = render(GatewayConfig(listeners=(Listener("edge", "127.0.0.1:3000"),)))
    assert first == (IMAGE, text, before["digest"], False)
    assert second[2:] == (after["digest"], True)


def test_refusal_is_told_by_the_place_in_the_manifest() -> None:
    gateway = Gateway("nginx: [emerg] bind() to 127.0.0.1:3000 failed (98: Address already in use)")
    with pytest.raises(HostError, match=r"^p\.yaml:6:14: nginx refuses it: bind\(\) to .* goes on with the config"):
        kind(gateway).create(inputs({"listeners[0]": "p.yaml:6:14"}))


def test_refresh_sees_a_file_that_went_with_its_volume() -> None:
    assert kind(Gateway()).exists(state(inputs()))
    assert not kind(Gateway(there=False)).exists(state(inputs()))


def test_deletion_leaves_the_file_to_its_volume_and_frees_that_of_a_test() -> None:
    gateway = Gateway()
    kind(gateway).delete(state(inputs()))
    assert gateway.asked == [("discard",)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("127.0.0.1:3000", "0.0.0.0:3000", True),
        ("0.0.0.0:3000", "[::]:3000", True),
        ("127.0.0.1:3000", "0.0.0.0:3001", False),
        ("127.0.0.1:3000", "127.0.0.1:3000", False),
    ],
)
def test_port_that_moves_to_another_address_is_told_from_another_port(
    before: str, after: str, *, expected: bool
) -> None:
    old, new = (GatewayConfig(listeners=(Listener("edge", address),)) for address in (before, after))
    assert rebinds(old, new) is expected
