"""Signature: whether a revision document was signed by the stack's own key."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runyard.contracts import SignedRevision
from runyard.errors import UsageError

# Ed25519 (RFC 8032): 32 bytes of key, 64 of signature.
KEY_BYTES = 32


class Verifier:
    """Checks signatures against one public key, the base64 of its 32 bytes."""

    def __init__(self, public_key: str) -> None:
        try:
            raw = base64.b64decode(public_key, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != KEY_BYTES:
            raise UsageError(f"RUNYARD_PUBLIC_KEY: must be the base64 of {KEY_BYTES} bytes, got {public_key!r}")
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    def verify(self, signed: SignedRevision) -> bool:
        """Tell whether the signature is one of this very text by our key."""
        try:
            self._key.verify(base64.b64decode(signed.signature, validate=True), signed.document.encode())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True
