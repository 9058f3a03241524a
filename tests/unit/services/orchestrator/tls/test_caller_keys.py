"""Caller keys: which signs when, what is shown meanwhile, and what the gateway is sent."""

from __future__ import annotations

import json
import time

import jwt
import pytest

from runyard.errors import UsageError
from services.orchestrator.tls.caller_keys import (
    LIFE_S,
    SHOWN_S,
    describe_keys,
    make_key,
    parse_keys,
    render_keys,
    renew_keys,
    signing_key,
)

from ..world import NOW


def test_first_key_signs_at_once_and_alone() -> None:
    keys = renew_keys((), NOW)
    assert len(keys) == 1
    assert signing_key(keys, NOW) == keys[0]
    # Nor does anything change until it is time for the next one.
    assert renew_keys(keys, NOW + LIFE_S - SHOWN_S - 1) == keys


def test_next_key_is_shown_before_it_signs_and_the_last_one_after_it_has_signed() -> None:
    (first,) = renew_keys((), NOW)
    begun = NOW + LIFE_S - SHOWN_S
    second, *rest = renew_keys((first,), begun)
    assert rest == [first]
    keys = (second, first)
    for after_s, signer, shown in (
        (0, first, keys),
        (SHOWN_S - 1, first, keys),
        (SHOWN_S, second, keys),
        (2 * SHOWN_S - 1, second, keys),
        (2 * SHOWN_S, second, (second,)),
    ):
        found = renew_keys(keys, begun + after_s)
        assert (found, signing_key(found, begun + after_s)) == (shown, signer), after_s


def test_orchestrator_that_was_away_for_long_shows_its_next_key_first_all_the_same() -> None:
    (first,) = renew_keys((), NOW)
    late = NOW + 3 * LIFE_S
    keys = renew_keys((first,), late)
    assert (len(keys), keys[1], signing_key(keys, late)) == (2, first, first)


def test_clock_that_is_set_back_makes_no_key() -> None:
    keys = renew_keys((), NOW)
    assert renew_keys(keys, NOW - 10 * LIFE_S) == keys


def test_gateway_is_sent_one_private_key_and_public_ones_that_verify_it() -> None:
    keys = (make_key(NOW), make_key(NOW - SHOWN_S))
    sent = json.loads(describe_keys("dev", keys, NOW))
    assert sent["stack"] == "dev"
    assert sent["signing"] == {"kid": keys[1].kid, "key": keys[1].key}
    assert "d" not in {name for each in sent["keys"] for name in each}
    assert [each["kid"] for each in sent["keys"]] == [each.kid for each in keys]
    token = jwt.encode({"sub": "acme/web", "exp": time.time() + 60}, keys[1].key, algorithm="ES256")
    public = jwt.PyJWK(sent["keys"][1])
    assert jwt.decode(token, public, algorithms=["ES256"])["sub"] == "acme/web"
    # Another implementation names them alike (RFC 7638).
    assert len({each.kid for each in keys}) == 2


def test_keys_print_themselves_without_their_secret_and_outlive_the_disk() -> None:
    keys = (make_key(NOW), make_key(NOW + 1))
    assert "PRIVATE" not in repr(keys)
    assert parse_keys(render_keys(keys)) == keys


@pytest.mark.parametrize(
    "text", ["", "{", "{}x", "[1]", '[{"kid": "a"}]', '[{"kid":"a","made_unix_s":1,"key":"no PEM"}]']
)
def test_damaged_keys_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^caller keys: must be a list of keys of P-256"):
        parse_keys(text)
