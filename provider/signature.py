"""Signatures of revision documents: Ed25519, keys and signatures as base64 of their raw bytes."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runyard.contracts import SignedRevision


def generate_pair() -> tuple[str, str]:
    """Make a new key pair and give its public and its private key."""
    private = Ed25519PrivateKey.generate()
    return _text(private.public_key().public_bytes_raw()), _text(private.private_bytes_raw())


def sign(private: str, document: str) -> SignedRevision:
    """Sign a document's text."""
    return SignedRevision(document, _text(_key(private).sign(document.encode())))


def _key(private: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(private))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
