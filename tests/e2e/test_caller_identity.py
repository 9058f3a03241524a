"""Caller identity on the real engine: tokens, metadata and TLS between instances, and nothing of it for strangers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from tests.harness.client import Answer
from tests.harness.stack import Stack, docker, new_stack, service
from tests.harness.waiting import until

TIMEOUT_MS = 5000
ONE = {"autoscaling.knative.dev/maxScale": "1"}
JWKS = "http://metadata.internal/.well-known/jwks.json"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack of two tenants: `web` of alpha may call its `cart`, and beta's `web` nobody."""
    with new_stack(tmp_path_factory, "callers") as made:
        made.platform(gateway={"port": made.port, "callerIdentity": True})
        # Go's client then trusts nobody else, as docs/security.md says.
        trusting = [{"name": "SSL_CERT_FILE", "value": "/run/runyard/ca.pem"}]
        uses = {"runyard.dev/uses": "cart"}
        made.write("web", service("web", namespace="alpha", annotations=uses, template=ONE, env=trusting))
        closed = {"runyard.dev/egress": "none"}
        made.write("cart", service("cart", namespace="alpha", annotations=closed, template=ONE))
        made.write("stranger", service("web", namespace="beta", template=ONE, env=trusting))
        made.up()
        yield made


def call(stack: Stack, caller: str, url: str, host: str = "") -> dict[str, Any]:
    answer: Answer = stack.get(f"{caller}.localhost", f"/call?url={url}&host={host}&timeout_ms={TIMEOUT_MS}")
    told: dict[str, Any] = answer.json()
    return told


def keys_of(stack: Stack, caller: str) -> jwt.PyJWKSet:
    # The orchestrator sends keys within seconds of its start.
    until(lambda: call(stack, caller, JWKS)["status"] == 200, "the gateway has keys")
    return jwt.PyJWKSet.from_dict(call(stack, caller, JWKS)["body"])


def claims_of(keys: jwt.PyJWKSet, token: str, stack: Stack) -> dict[str, Any]:
    key = keys[jwt.get_unverified_header(token)["kid"]]
    issuer = f"urn:runyard:stack:{stack.name}"
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["ES256"], audience="alpha/cart", issuer=issuer)
    return claims


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_callee_verifies_who_called_by_keys_that_it_is_told(stack: Stack, scheme: str):
    keys = keys_of(stack, "cart.alpha")
    until(lambda: call(stack, "web.alpha", f"{scheme}://cart.internal/headers")["status"] == 200, "cart answers")
    headers = call(stack, "web.alpha", f"{scheme}://cart.internal/headers")["body"]["headers"]
    (token,) = headers["X-Runyard-Caller-Token"]
    assert headers["X-Forwarded-Proto"] == [scheme]
    assert claims_of(keys, token, stack)["sub"] == "alpha/web"


def test_who_does_not_trust_the_stacks_authority_is_not_answered_over_tls(stack: Stack):
    # The same name and address, without the CA: an image's own CAs do not sign `.internal`.
    told = call(stack, "cart.alpha", f"https://{stack.host_address('platform')}/", "cart.internal")
    assert told["status"] == 0
    assert "tls" in told["error"] or "x509" in told["error"]


def test_calls_that_are_not_declared_stay_closed_over_tls(stack: Stack):
    for scheme in ("http", "https"):
        told = call(stack, "web.beta", f"{scheme}://metadata.internal/", "cart.internal")
        # Over TLS the name is the one that the certificate is for, and Host says another.
        assert told["status"] == 403, told
        assert told["body"]["type"].endswith("undeclared-call")


def test_instance_is_told_where_to_ask_and_what_to_trust(stack: Stack):
    for tenant, name in (("alpha", "web"), ("alpha", "cart"), ("beta", "web")):
        environment = stack.get(f"{name}.{tenant}.localhost", "/env").json()
        assert environment["GCE_METADATA_HOST"] == "metadata.internal"
        assert environment["GCE_METADATA_IP"] == stack.host_address("platform")
        assert environment["RUNYARD_CA_FILE"] == "/run/runyard/ca.pem"


def test_metadata_needs_the_header_that_no_link_brings(stack: Stack):
    # The sample sends no header of its own, as an instance that fetches for a stranger.
    told = call(stack, "web.alpha", "http://metadata.internal/computeMetadata/v1/project/project-id")
    assert (told["status"], told["body"]["detail"]) == (403, "must have the header Metadata-Flavor: Google")


def test_forged_token_from_outside_reaches_nobody(stack: Stack):
    forged = {"X-Runyard-Caller-Token": "forged", "X-Runyard-Caller": "web"}
    headers = stack.get("cart.alpha.localhost", "/headers", headers=forged).json()["headers"]
    assert not headers.keys() & forged.keys()


def test_keys_outlive_orchestrator_and_gateway(stack: Stack):
    before = call(stack, "cart.alpha", JWKS)["body"]
    for part in ("orchestrator", "gateway"):
        docker("restart", f"runyard.{stack.name}.{part}")
    until(lambda: answered(stack) == before, "the gateway has the keys of before")


def answered(stack: Stack) -> Any:
    try:
        return call(stack, "cart.alpha", JWKS).get("body")
    except (OSError, AssertionError, ValueError):
        return None


def test_nothing_changes_with_the_next_preview(stack: Stack):
    stack.expect_no_changes()
