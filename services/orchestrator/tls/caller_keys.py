"""Caller keys: the pairs with which the gateway signs who calls: which of them signs, and which are still shown."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runyard.errors import UsageError
from services.orchestrator.tls.authority import DAY_S, key_text

# Who reads the gateway's memory or its file can sign until then.
LIFE_S = 30 * DAY_S
# A key is shown for so long before it signs and after it has signed: verifiers keep what they were shown for minutes
# (five by our Cache-Control, services/gateway/lua/runyard/metadata.lua), and a token holds for five.
SHOWN_S = 3600.0
_COORDINATE_BYTES = 32


@dataclass(frozen=True, slots=True)
class CallerKey:
    """A private key of P-256 as PEM, when it was made, and its name: the thumbprint of its public half (RFC 7638)."""

    kid: str
    made_unix_s: float
    key: str = field(repr=False)


def make_key(now: float) -> CallerKey:
    """Make a key."""
    private = ec.generate_private_key(ec.SECP256R1())
    members = _members(private.public_key())
    # RFC 7638, 3.1: these members, ordered, without blanks.
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return CallerKey(_base64url(hashlib.sha256(text.encode()).digest()), now, key_text(private))


def renew_keys(keys: Sequence[CallerKey], now: float) -> tuple[CallerKey, ...]:
    """Give the keys of now, newest first: one more when the newest should not sign for much longer, less what is done.

    A clock that was set back makes no key; one that comes from the future counts as new.
    """
    ordered = sorted(keys, key=lambda each: -each.made_unix_s)
    if not ordered or now - ordered[0].made_unix_s >= LIFE_S - SHOWN_S:
        ordered.insert(0, make_key(now))
    kept = ordered[:1]
    for newer, older in pairwise(ordered):
        # The newer one signs after its time alone; what the older one signed must be read for as long again.
        if now - newer.made_unix_s < 2 * SHOWN_S:
            kept.append(older)
        else:
            break
    return tuple(kept)


def signing_key(keys: Sequence[CallerKey], now: float) -> CallerKey:
    """Give the one that signs: the newest that has been shown for long enough, or else the oldest there is."""
    ordered = sorted(keys, key=lambda each: -each.made_unix_s)
    return next((each for each in ordered if now - each.made_unix_s >= SHOWN_S), ordered[-1])


def describe_keys(stack: str, keys: Sequence[CallerKey], now: float) -> str:
    """Write what the gateway is sent: whose keys they are, the one that signs, and the public ones (RFC 7517)."""
    signer = signing_key(keys, now)
    shown = [{"alg": "ES256", "use": "sig", "kid": each.kid, **_public(each)} for each in keys]
    content = {"stack": stack, "signing": {"kid": signer.kid, "key": signer.key}, "keys": shown}
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def render_keys(keys: Sequence[CallerKey]) -> str:
    """Write keys for the disk."""
    return json.dumps([asdict(each) for each in keys])


def parse_keys(text: str) -> tuple[CallerKey, ...]:
    """Read keys of the disk; UsageError if they cannot be read."""
    try:
        keys = tuple(CallerKey(str(each["kid"]), float(each["made_unix_s"]), each["key"]) for each in json.loads(text))
        for each in keys:
            _public(each)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"caller keys: must be a list of keys of P-256: {type(error).__name__}") from error
    return keys


def _public(key: CallerKey) -> dict[str, str]:
    private = serialization.load_pem_private_key(key.key.encode(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("no elliptic curve")
    return _members(private.public_key())


def _members(public: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    numbers = public.public_numbers()
    x, y = (each.to_bytes(_COORDINATE_BYTES, "big") for each in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": _base64url(x), "y": _base64url(y)}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
