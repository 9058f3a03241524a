"""The gateway's configuration as Pulumi sees it: what is refused, and what is a change."""

from __future__ import annotations

from typing import Any

import pytest

from components import request
from components.configuration import ConfigurationProvider, rebinds
from runyard.gateway import GatewayConfig, Listener, digest


def props(places: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    values = request.inputs(GatewayConfig(**changes))
    # Pulumi's wire makes every number a float.
    wired = {key: float(value) if type(value) is int else value for key, value in values.items()}
    return {"stack": "dev", "image": "runyard/gateway:abc", "places": places or {}, "digest": "d", **wired}


def test_values_that_the_grammars_take_pass() -> None:
    assert ConfigurationProvider().check({}, props(hold_timeout_ms=5)).failures == []


def test_value_that_a_grammar_refuses_fails_the_preview() -> None:
    [failure] = ConfigurationProvider().check({}, props(user="root; daemon on")).failures
    assert failure.reason == "gateway: user: must be a user name, got 'root; daemon on'"


def test_value_is_a_change_and_a_line_of_the_manifest_is_none() -> None:
    provider = ConfigurationProvider()
    here, there = {"max_body_bytes": "p.yaml:3:1"}, {"max_body_bytes": "p.yaml:4:1"}
    assert provider.diff("", props(here), props(there)).changes is False
    assert provider.diff("", props(here), props(here, hold_timeout_ms=5)).changes is True


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


def test_digest_is_of_the_values() -> None:
    assert digest(GatewayConfig()) == digest(GatewayConfig(hold_timeout_ms=10_000))
    assert digest(GatewayConfig()) != digest(GatewayConfig(hold_timeout_ms=10_001))
