"""Certificate: what can be said of a chain with its private key, without a clock."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from runyard.errors import UsageError
from services.orchestrator.model.pair import Pair


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says: its hosts, and from when to when it counts (seconds since 1970)."""

    names: tuple[str, ...]
    not_before: float
    not_after: float


def describe(pair: Pair) -> Facts:
    """Read a pair's facts; UsageError if it is no chain with the key of its first certificate and a host."""
    facts = describe_authority(pair)
    if not facts.names:
        raise UsageError("certificate: must name a host in subjectAltName, got none")
    return facts


def describe_authority(pair: Pair) -> Facts:
    """Read the facts of a pair that need not name a host; UsageError if its parts do not belong together."""
    try:
        chain = x509.load_pem_x509_certificates(pair.chain.encode())
    except ValueError as error:
        raise UsageError(f"certificate: must be PEM certificates, the leaf first: {error}") from None
    try:
        key = serialization.load_pem_private_key(pair.key.encode(), password=None)
    except (ValueError, TypeError):
        # The library's own message may quote what it read.
        raise UsageError("key: must be a PEM private key without a passphrase") from None
    leaf = chain[0]
    if key.public_key() != leaf.public_key():
        raise UsageError("key: must be the private key of the first certificate, got another one's")
    _check_chain(chain)
    return Facts(_names(leaf), leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp())


def covering(host: str, names: Collection[str]) -> str | None:
    """Give the name that covers a host: its own, or the wildcard one level up (RFC 6125, 6.4.3)."""
    _, _, rest = host.partition(".")
    return next((name for name in (host, f"*.{rest}") if name in names), None)


def _check_chain(chain: list[x509.Certificate]) -> None:
    for index, (each, issuer) in enumerate(itertools.pairwise(chain)):
        try:
            each.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise UsageError(
                f"certificate: number {index + 2} of the chain must have issued the one before it: {error}"
            ) from None


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(sorted({name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}))
