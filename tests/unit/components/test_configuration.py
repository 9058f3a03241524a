"""The gateway's configuration as Pulumi sees it: what is refused, and what is a change."""

from __future__ import annotations

from typing import Any

from components import request
from components.configuration import ConfigurationProvider
from runyard.gateway import GatewayConfig, digest


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


def test_digest_is_of_the_values() -> None:
    assert digest(GatewayConfig()) == digest(GatewayConfig(hold_timeout_ms=10_000))
    assert digest(GatewayConfig()) != digest(GatewayConfig(hold_timeout_ms=10_001))
